"""Tensor fields (TensoRF, Chen et al. 2022): density and colour from products of planes and vectors.

    density = gain * softplus(sum of products - 10)
    colour  = sigmoid(MLP(f, encoding(f), direction, encoding(direction))),   f = basis @ products

The field that Neural NeRF Compression (2024) compresses. Grids belong to a scene; basis and network are the shared
part, which for the usual collection of one scene is that scene's as well. A scene may bring its own in their place.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.grids import Factors, Kind, TensorCodes, TensorGrids
from manyfields.families.tensor_planes.products import products, summed_products
from manyfields.fields.axes import Resolution
from manyfields.fields.scenes import SceneConfig, SceneFamily, SceneField


@dataclass(frozen=True)
class TensorSizes:
    """Sizes of tensor fields. The defaults are TensoRF's VM-192."""

    kind: Kind = "vm"
    """Planes with vectors (vm), or vectors alone (cp)."""
    density_components: int = 16
    """Products of planes and vectors that add up to the density: of each of the three pairs; of CP: in all."""
    appearance_components: int = 48
    """Likewise of those that colours are made of."""
    features: int = 27
    """Numbers that the network gets of a place."""
    hidden: int = 128
    """Units of each of the network's two hidden layers."""
    feature_frequencies: int = 2
    """Octaves of sines and cosines of the features that the network gets."""
    view_frequencies: int = 2
    """Octaves of sines and cosines of the direction that the network gets."""
    density_gain: float = 25.0
    """Density is gain * softplus(sum - 10): with less of it surfaces need more steps to become opaque."""


@dataclass(frozen=True)
class TensorConfig(TensorSizes, SceneConfig):
    """The sizes of a family, and how fine its alpha masks are.

    >>> TensorConfig(density_components=4, appearance_components=8).products
    24
    """

    guide_side: int = 64
    """Cells along one side of the alpha mask over the box of a scene."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.kind not in ("vm", "cp"):
            raise ConfigError(f"kind {self.kind!r}: either 'vm' or 'cp'")
        sizes = ("density_components", "appearance_components", "features", "hidden", "guide_side")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be above 0")
        if min(self.feature_frequencies, self.view_frequencies) < 0 or self.density_gain <= 0:
            raise ConfigError("feature_frequencies and view_frequencies: not below 0; density_gain: above 0")

    @property
    def products(self) -> int:
        """Numbers that the basis gets of a point."""
        return self.appearance_components * (3 if self.kind == "vm" else 1)

    @property
    def numbers(self) -> int:
        """Of basis and network."""
        layers = (self.inputs, self.hidden), (self.hidden, self.hidden), (self.hidden, self.channels)
        return self.products * self.features + sum((inputs + 1) * outputs for inputs, outputs in layers)


class TensorFamily(SceneFamily):
    """The shared part of the family: from products of appearance, and directions, to colour.

    >>> family = TensorFamily(TensorConfig(density_components=2, appearance_components=2, hidden=8))
    >>> grids = family.new_grids(torch.tensor([[-1.0, -1, -1], [1, 1, 1]]), (6, 5, 4))
    >>> family.field(grids.codes())(torch.zeros(1, 5, 3), torch.ones(1, 5, 3)).channels.shape
    torch.Size([1, 5, 3])
    """

    basis: nn.Linear

    def __init__(self, config: TensorConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator, basis=nn.Linear(config.products, config.features, bias=False))

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


class TensorField(SceneField):
    """Fields of B scenes, with one shared network unless they have their own.

    >>> family = TensorFamily(TensorConfig(density_components=2, appearance_components=2, hidden=8))
    >>> grids = family.new_grids(torch.tensor([[-1.0, -1, -1], [1, 1, 1]]), (6, 5, 4))
    >>> TensorField(family, [grids]).density(torch.tensor([[[0.0, 0, 0], [2, 0, 0]]])) > 0
    tensor([[ True, False]])
    """

    def family_of(self, grids: TensorGrids) -> TensorFamily:
        return self.family if grids.network is None else self.family.with_numbers(grids.network)

    def raised(self, grids: TensorGrids, places: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        return summed_products(grids.density, places)

    def features(self, family: TensorFamily, grids: TensorGrids, places: Float[Tensor, "N 3"]) -> Float[Tensor, "N F"]:
        return family.basis(products(grids.appearance, places))
