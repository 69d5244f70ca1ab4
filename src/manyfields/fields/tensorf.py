"""Tensor fields (TensoRF, Chen et al. 2022): density and colour from products of planes and vectors.

    density = gain * softplus(sum of products - 10)
    colour  = sigmoid(MLP(f, encoding(f), direction, encoding(direction))),   f = basis @ products

The field that Neural NeRF Compression (2024) compresses. Grids belong to a scene; basis and network are the shared
part, which for the usual collection of one scene is that scene's as well. A scene may bring its own in their place.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from manyfields.errors import ConfigError
from manyfields.fields.octree_field import encode_directions
from manyfields.fields.samples import Samples
from manyfields.fields.tensor_grids import Factors, Kind, Resolution, TensorCodes, TensorGrids
from manyfields.fields.tensor_products import products, summed_products

SHIFT = 10.0  # products start near 0: so does the density


@dataclass(frozen=True)
class TensorConfig:
    """Sizes of the family. The defaults are TensoRF's VM-192."""

    kind: Kind = "vm"
    """Planes with vectors (vm), or vectors alone (cp)."""
    density_components: int = 16
    """Of each of the three pairs; of CP: in all."""
    appearance_components: int = 48
    features: int = 27
    hidden: int = 128
    feature_frequencies: int = 2
    view_frequencies: int = 2
    density_gain: float = 25.0
    guide_side: int = 64
    """Cells along one side of the alpha mask over the box of a scene."""

    def __post_init__(self) -> None:
        if self.kind not in ("vm", "cp"):
            raise ConfigError(f"kind {self.kind!r}: either 'vm' or 'cp'")
        sizes = ("density_components", "appearance_components", "features", "hidden", "guide_side")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be above 0")
        if min(self.feature_frequencies, self.view_frequencies) < 0 or self.density_gain <= 0:
            raise ConfigError("feature_frequencies and view_frequencies: not below 0; density_gain: above 0")

    @property
    def channels(self) -> int:
        return 3

    @property
    def space(self) -> Literal["rgb"]:
        return "rgb"

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """One layer: a scene is whole or not there."""
        return (("grids",),)

    @property
    def coarse_levels(self) -> range:
        return range(1, 1)

    @property
    def products(self) -> int:
        """Numbers that the basis gets of a point."""
        return self.appearance_components * (3 if self.kind == "vm" else 1)

    @property
    def inputs(self) -> int:
        """Numbers that the network gets: features and direction, each with its encoding."""
        return self.features * (1 + 2 * self.feature_frequencies) + 3 * (1 + 2 * self.view_frequencies)

    @property
    def numbers(self) -> int:
        """Of basis and network."""
        layers = (self.inputs, self.hidden), (self.hidden, self.hidden), (self.hidden, self.channels)
        return self.products * self.features + sum((inputs + 1) * outputs for inputs, outputs in layers)


class TensorFamily(nn.Module):
    """The shared part of the family: from products of appearance, and directions, to colour."""

    def __init__(self, config: TensorConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.basis = nn.Linear(config.products, config.features, bias=False)
        self.first = nn.Linear(config.inputs, config.hidden)
        self.second = nn.Linear(config.hidden, config.hidden)
        self.output = nn.Linear(config.hidden, config.channels)
        with torch.no_grad():
            for layer in (self.basis, self.first, self.second, self.output):
                bound = layer.in_features**-0.5
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)
            self.output.bias.zero_()

    def numbers(self) -> Float[Tensor, " p"]:
        """Basis and network in one: matrices (outputs, inputs), row by row, each but the basis with its bias after."""
        return nn.utils.parameters_to_vector(self.parameters()).detach()

    def with_numbers(self, numbers: Float[Tensor, " p"]) -> "TensorFamily":
        """A family of the same sizes with other numbers, which do not learn."""
        other = copy.deepcopy(self).requires_grad_(False)
        nn.utils.vector_to_parameters(numbers, other.parameters())
        return other

    def new_grids(
        self, box: Float[Tensor, "2 3"], resolution: Resolution, generator: torch.Generator | None = None
    ) -> TensorGrids:
        """Random grids of one scene; all of its box may hold something."""
        config, side = self.config, self.config.guide_side
        density = Factors.random(config.kind, resolution, config.density_components, generator)
        appearance = Factors.random(config.kind, resolution, config.appearance_components, generator)
        return TensorGrids(box.clone(), density, appearance, torch.ones(side, side, side, dtype=torch.uint8))

    def field(
        self, codes: TensorCodes, level: int | None = None, bounds: Float[Tensor, "B 2 3"] | None = None
    ) -> "TensorField":
        """The fields of scenes. Grids fill boxes of their own, whatever the `bounds` are; there is one level."""
        return TensorField(self, codes.grids)

    def hull(
        self, codes: TensorCodes, bounds: Float[Tensor, "B 2 3"], level: int | None = None
    ) -> UInt8[Tensor, "B G G G"]:
        """The alpha masks: `bounds` must be the boxes of the scenes, which is what they are stored with."""
        return torch.stack([grids.mask for grids in codes.grids])

    def colors(self, found: Float[Tensor, "N K"], directions: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Colours from products of appearance."""
        features = encode_directions(self.basis(found), self.config.feature_frequencies)
        seen = encode_directions(directions, self.config.view_frequencies)
        hidden = functional.relu(self.first(torch.cat([features, seen], -1)))
        values = self.output(functional.relu(self.second(hidden)))
        return torch.sigmoid(values.to(torch.promote_types(values.dtype, torch.float32)))


class TensorField:
    """Fields of B scenes: grids of each, and one shared network unless they have their own. Empty outside of boxes.

    `density` and `colors` are apart, because a ray needs colours only where something is seen.
    """

    channels = 3

    def __init__(self, family: TensorFamily, grids: Sequence[TensorGrids]) -> None:
        self.family = family
        self.grids = tuple(grids)
        self._networks = [None if each.network is None else family.with_numbers(each.network) for each in self.grids]
        if len({each.map is None for each in self.grids}) > 1:
            raise ValueError("forward-facing scenes and others cannot be rendered side by side")

    def __len__(self) -> int:
        return len(self.grids)

    def __getitem__(self, row: int) -> "TensorField":
        """The field of one scene (B = 1)."""
        if not 0 <= row < len(self):
            raise IndexError(f"object {row} of {len(self)}")
        return TensorField(self.family, (self.grids[row],))

    @property
    def maps(self) -> Float[Tensor, "B 4 4"] | None:
        """The maps of forward-facing scenes; None where boxes lie in the space of the objects.

        Points and directions that the field is asked are those of the boxes.
        """
        maps = [grids.map for grids in self.grids if grids.map is not None]
        return torch.stack(maps) if maps else None

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Density and colour at points, seen along `directions` (unit length; zeros when None)."""
        if directions is None:
            directions = torch.zeros_like(points)
        return Samples(self.density(points), self.colors(points, directions))

    def density(self, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
        return torch.stack([self._density(grids, own) for grids, own in zip(self.grids, points, strict=True)])

    def colors(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N 3"]:
        found = [products(grids.appearance, _places(grids, own)) for grids, own in zip(self.grids, points, strict=True)]
        if any(self._networks):
            rows = zip(self._networks, found, directions, strict=True)
            return torch.stack([(network or self.family).colors(*own) for network, *own in rows])
        return self.family.colors(torch.cat(found), directions.flatten(0, 1)).view(*points.shape[:2], self.channels)

    def _density(self, grids: TensorGrids, points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        places = _places(grids, points)
        # A face of the box belongs to it, whatever the rounding of a ray's end.
        inside = ((places > -1e-5) & (places < 1 + 1e-5)).all(-1)
        raised = summed_products(grids.density, places)
        return self.family.config.density_gain * functional.softplus(raised - SHIFT) * inside


def _places(grids: TensorGrids, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """Points in the units of a scene's box: 0 and 1 are its faces."""
    return (points - grids.box[0]) / (grids.box[1] - grids.box[0])
