"""What families of scenes have in common: grids that belong to a scene, and one network that makes colours.

    density = gain * softplus(raised - shift)
    colour  = sigmoid(MLP(f, encoding(f), direction, encoding(direction)))

TensoRF (Chen et al. 2022) and Factor Fields (Chen et al. 2023) differ in what raises the density, and in how the
features f come from grids. Grids belong to a scene; the network is the shared part, which for the usual collection of
one scene is that scene's as well.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from manyfields.fields.density_first import DensityFirst
from manyfields.fields.directions import encode_directions


class SceneGrids(Protocol):
    """The grids of one scene, whatever they are."""

    @property
    def box(self) -> Tensor:
        """(2, 3): what the grids fill, in the space of the object or in that of `map`."""
        ...

    @property
    def mask(self) -> Tensor:
        """(G, G, G), uint8: cells of the box that may hold something, the alpha mask."""
        ...

    @property
    def map(self) -> Tensor | None:
        """(4, 4): of forward-facing scenes, the projective map from the object's space to that of the box."""
        ...

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that learns."""
        ...

    def with_tensors(self, tensors: Sequence[Tensor]) -> Self:
        """The same scene with other numbers, in the order of `tensors`."""
        ...

    def codes(self) -> "SceneCodes":
        """This scene alone (B = 1)."""
        ...

    def to(self, device: torch.device | str) -> Self: ...


G = TypeVar("G", bound=SceneGrids)


@dataclass(frozen=True, eq=False)
class SceneCodes(Generic[G]):
    """Codes of B scenes; each has sizes and a box of its own."""

    grids: tuple[G, ...]

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        return cls(tuple(grids for part in parts for grids in part.grids))

    def __len__(self) -> int:
        return len(self.grids)

    def __getitem__(self, rows: int | Sequence[int]) -> Self:
        """The codes of some scenes; a single index keeps the leading dimension (B = 1)."""
        taken = [rows] if isinstance(rows, int) else list(rows)
        for row in taken:
            if not -len(self) <= row < len(self):
                raise IndexError(f"object {row} of {len(self)}")
        return type(self)(tuple(self.grids[row] for row in taken))

    def to(self, device: torch.device | str) -> Self:
        return type(self)(tuple(grids.to(device) for grids in self.grids))


class SceneConfig:
    """What all configs of such families say; their fields have the sizes."""

    features: int
    hidden: int
    feature_frequencies: int
    view_frequencies: int
    density_gain: float
    guide_side: int

    @property
    def density_shift(self) -> float:
        """What density starts at is near 0: by so much is lowered what raises it."""
        return 10.0

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
    def inputs(self) -> int:
        """Numbers that the network gets: features and direction, each with its encoding."""
        return self.features * (1 + 2 * self.feature_frequencies) + 3 * (1 + 2 * self.view_frequencies)


class SceneFamily(nn.Module):
    """The shared part of such a family. Layers given by name come before those of the network."""

    config: Any

    def __init__(self, config: Any, generator: torch.Generator | None, **layers: nn.Linear) -> None:
        super().__init__()
        self.config = config
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.first = nn.Linear(config.inputs, config.hidden)
        self.second = nn.Linear(config.hidden, config.hidden)
        self.output = nn.Linear(config.hidden, config.channels)
        with torch.no_grad():
            for layer in (*layers.values(), self.first, self.second, self.output):
                bound = layer.in_features**-0.5
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)
            self.output.bias.zero_()

    def hull(
        self, codes: SceneCodes, bounds: Float[Tensor, "B 2 3"], level: int | None = None
    ) -> UInt8[Tensor, "B G G G"]:
        """The alpha masks: `bounds` must be the boxes of the scenes, which is what they are stored with."""
        return torch.stack([grids.mask for grids in codes.grids])

    def seen(self, features: Float[Tensor, "N F"], directions: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Colours from features."""
        encoded = encode_directions(features, self.config.feature_frequencies)
        along = encode_directions(directions, self.config.view_frequencies)
        hidden = functional.relu(self.first(torch.cat([encoded, along], -1)))
        values = self.output(functional.relu(self.second(hidden)))
        return torch.sigmoid(values.to(torch.promote_types(values.dtype, torch.float32)))


class SceneField(DensityFirst):
    """Fields of B scenes: grids of each and one shared network. Empty outside of boxes."""

    channels = 3

    def __init__(self, family: Any, grids: Sequence[Any]) -> None:
        self.family = family
        self.grids = tuple(grids)
        self.families = tuple(self.family_of(each) for each in self.grids)
        if len({each.map is None for each in self.grids}) > 1:
            raise ValueError("forward-facing scenes and others cannot be rendered side by side")

    @abstractmethod
    def raised(self, grids: Any, places: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        """What the density of one scene is made of, at places in its box: 0 and 1 are its faces."""

    @abstractmethod
    def features(self, family: Any, grids: Any, places: Float[Tensor, "N 3"]) -> Float[Tensor, "N F"]:
        """What colours are made of, likewise. `family`: that of the scene."""

    def family_of(self, grids: Any) -> Any:
        """Whose network makes the colours of a scene."""
        return self.family

    def __len__(self) -> int:
        return len(self.grids)

    def __getitem__(self, row: int) -> Self:
        """The field of one scene (B = 1)."""
        if not 0 <= row < len(self):
            raise IndexError(f"object {row} of {len(self)}")
        return type(self)(self.family, (self.grids[row],))

    @property
    def maps(self) -> Float[Tensor, "B 4 4"] | None:
        """The maps of forward-facing scenes; None where boxes lie in the space of the objects.

        Points and directions that the field is asked are those of the boxes.
        """
        maps = [grids.map for grids in self.grids if grids.map is not None]
        return torch.stack(maps) if maps else None

    def density(self, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
        return torch.stack([self._density(grids, own) for grids, own in zip(self.grids, points, strict=True)])

    def colors(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N 3"]:
        scenes = zip(self.families, self.grids, points, strict=True)
        found = [self.features(family, grids, places_of(grids.box, own)) for family, grids, own in scenes]
        if any(family is not self.family for family in self.families):
            rows = zip(self.families, found, directions, strict=True)
            return torch.stack([family.seen(*own) for family, *own in rows])
        return self.family.seen(torch.cat(found), directions.flatten(0, 1)).view(*points.shape[:2], self.channels)

    def _density(self, grids: Any, points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        places = places_of(grids.box, points)
        # A face of the box belongs to it, whatever the rounding of a ray's end.
        inside = ((places > -1e-5) & (places < 1 + 1e-5)).all(-1)
        config = self.family.config
        raised = self.raised(grids, places).to(places.dtype)
        return config.density_gain * functional.softplus(raised - config.density_shift) * inside


def places_of(box: Float[Tensor, "2 3"], points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """Points in the units of a box: 0 and 1 are its faces."""
    return (points - box[0]) / (box[1] - box[0])
