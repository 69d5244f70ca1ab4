"""Octree distance fields: truncated signed distances from features at the corners of sparse voxels around a surface.

    features(x) = sum_l trilinear_l(x)        distance(x) = truncation * MLP(x, features(x))

The geometry case of Variable Bitrate Neural Fields (Takikawa et al. 2022, section 5), after NGLOD (Takikawa et al.
2021) with one network for all levels. Distances are below 0 inside, and mean nothing outside of the coarsest voxels.
Any first few levels are a surface, coarser the fewer.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float
from torch import Tensor, nn

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.octree.corner_features import Corners, octree_features
from manyfields.families.octree.morton import HIGHEST
from manyfields.families.octree.tree import Octree


@dataclass(frozen=True)
class DistanceConfig:
    """Sizes of the family."""

    first: int = 4
    last: int = 7
    """Levels that hold features: a level l divides the cube [-1, 1]^3 into 2^l voxels a side."""
    features: int = 16
    hidden: int = 128
    truncation: float = 0.03
    """Distances are learned between - and + this, in units of the cube, whose sides are 2 long."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0 <= self.first <= self.last <= HIGHEST:
            raise ConfigError(f"levels {self.first} to {self.last}: from 0 to {HIGHEST}, coarse first")
        if not 1 <= self.features <= 255 or self.hidden < 1:
            raise ConfigError(f"features {self.features}, hidden {self.hidden}: from 1, and at most 255 features")
        if not (math.isfinite(self.truncation) and 0 < self.truncation <= 2):
            raise ConfigError(f"truncation {self.truncation}: above 0 and at most 2, the side of the cube")

    @property
    def levels(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def network(self) -> int:
        """Numbers of the network."""
        return self.hidden * (3 + self.features + 1) + self.hidden + 1


class DistanceFamily(nn.Module):
    """The network from positions and features to distances. Here every object has its own."""

    def __init__(self, config: DistanceConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(3 + config.features, config.hidden)
        self.output = nn.Linear(config.hidden, 1)
        with torch.no_grad():
            for layer in (self.hidden, self.output):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-bound, bound, generator=generator)

    def decode(self, points: Float[Tensor, "N 3"], features: Float[Tensor, "N F"]) -> Float[Tensor, " N"]:
        """Linear, ReLU, Linear: distances in units of the truncation, not cut off at it."""
        return self.output(functional.relu(self.hidden(torch.cat([points, features], -1)))).squeeze(-1)

    def field(self, tree: Octree, table: Float[Tensor, "M F"], level: int | None = None) -> "DistanceField":
        """The field of an octree with features at its corners, with its first `level` levels present (None: all)."""
        return DistanceField(self, tree, table, level)


class DistanceField:
    """Signed distances around the surface of one object."""

    def __init__(
        self, family: DistanceFamily, tree: Octree, table: Float[Tensor, "M F"], level: int | None = None
    ) -> None:
        """Raises ValueError where octree, table and family do not fit together."""
        levels = family.config.levels
        if tree.levels != levels:
            raise ValueError(f"an octree of levels {tree.first} to {tree.last}, but the family has {levels}")
        if level is not None and not 1 <= level <= len(levels):
            raise ValueError(f"level {level}: from 1 to {len(levels)} levels can be present")
        corners = Corners.by_object([tree])
        if len(table) != corners.rows:
            raise ValueError(f"{len(table)} rows of features, but the octree has {corners.rows} corners")
        self.family, self.tree, self.table = family, tree, table
        self.level = len(levels) if level is None else level
        self._corners = corners.first_levels(self.level)

    def __call__(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        """Signed distances in units of the cube; of meaning in the voxels of the coarsest level only."""
        return self.family.config.truncation * self.relative(points)[0]

    def relative(self, points: Float[Tensor, "N 3"]) -> tuple[Float[Tensor, " N"], Bool[Tensor, " N"]]:
        """Distances in units of the truncation, and which points lie in a voxel. Gradients reach table and network."""
        features, inside = octree_features(self.table, self._corners, points[None])
        return self.family.decode(points, features[0]), inside[0]
