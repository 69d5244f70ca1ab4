"""Octree fields: features at the corners of sparse voxels, several levels of them, and one small network.

    features(x) = sum_l trilinear_l(x)        density, colour = MLP(features(x), encoding(direction))

The uncompressed field of Variable Bitrate Neural Fields (Takikawa et al. 2022, sections 3 and 7), itself NGLOD
(Takikawa et al. 2021) with one network for all levels. Any first few levels are an object, coarser the fewer. As in the
paper the network sees the direction before it gives the density, which so may change a little with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from manyfields._checks import POSITIVE, check_numbers
from manyfields.errors import ConfigError
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.corner_features import Combine, Corners, octree_features
from manyfields.families.octree.morton import HIGHEST
from manyfields.families.octree.tree import Octree
from manyfields.families.octree.walkable import walkable
from manyfields.fields.directions import encode_directions
from manyfields.fields.guide_places import MANY
from manyfields.fields.samples import Samples
from manyfields.rendering.fused_field import FusedField
from manyfields.rendering.texels import CUBE, FEATURES, Texels
from manyfields.rendering.tiny_decoder import TinyDecoder

GUIDE_SIDE = 64
START_NOISE = 0.01  # of features, as in the paper
START_DENSITY = 0.1  # before the gain: a ReLU that starts below 0 everywhere would learn nothing


@dataclass(frozen=True)
class OctreeSizes:
    """Sizes of octree fields. The defaults are the paper's, but for the gain."""

    first: int = 5
    """Coarsest level with features: a level l divides the cube [-1, 1]^3 into 2^l voxels a side."""
    last: int = 8
    """Finest level with features."""
    features: int = 16
    """Numbers at a corner of a voxel."""
    hidden: int = 128
    """Units of the network's hidden layer."""
    view_frequencies: int = 4
    """Octaves of sines and cosines of the direction: 4 make 3 + 3 * 2 * 4 = 27 numbers."""
    combine: Combine = "sum"
    """Features of levels are summed, or stand side by side."""
    density_gain: float = 15.0
    """See `density`."""
    density: Literal["softplus", "relu"] = "softplus"
    """Density is gain * softplus(x - 1), as that of fused planes, or gain * ReLU(x): with the paper's ReLU a place
    that is empty once never learns again, and with its gain of 1 surfaces need many more steps to become opaque."""


@dataclass(frozen=True)
class OctreeConfig(OctreeSizes):
    """The sizes of a family, and what follows from them.

    >>> OctreeConfig(first=2, last=4).layers
    (('level 2',), ('level 3',), ('level 4',))
    """

    def __post_init__(self) -> None:
        check_numbers(self, density_gain=POSITIVE)
        if not 0 <= self.first <= self.last <= HIGHEST:
            raise ConfigError(f"levels {self.first} to {self.last}: from 0 to {HIGHEST}, coarse first")
        if min(self.features, self.hidden) < 1 or self.view_frequencies < 0:
            raise ConfigError(
                f"features {self.features}, hidden {self.hidden}, view_frequencies {self.view_frequencies}: "
                "the first two must be above 0, the last not below"
            )
        if self.combine not in ("sum", "concat"):
            raise ConfigError(f"combine {self.combine!r}: either 'sum' or 'concat'")
        if self.density not in ("softplus", "relu"):
            raise ConfigError(f"density {self.density!r}: either 'softplus' or 'relu'")

    @property
    def channels(self) -> int:
        return 3

    @property
    def space(self) -> Literal["rgb"]:
        return "rgb"

    @property
    def levels(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """What each layer of a stored object holds, coarse first."""
        return tuple((f"level {level}",) for level in self.levels)

    @property
    def coarse_levels(self) -> range:
        """Numbers of layers, but for all of them, that show an object."""
        return range(1, len(self.levels))

    @property
    def guide_side(self) -> int:
        """Cells along one side of the guide over an object's box: a box is seldom the whole cube."""
        return min(GUIDE_SIDE, 4 * 2**self.first)

    @property
    def inputs(self) -> int:
        """Numbers that the network gets of the position."""
        return self.features * (len(self.levels) if self.combine == "concat" else 1)

    @property
    def view_inputs(self) -> int:
        """Numbers that the network gets of the direction."""
        return 3 + 6 * self.view_frequencies


class OctreeFamily(nn.Module):
    """The shared part of the family: the network from features and directions to density and colour.

    >>> family = OctreeFamily(OctreeConfig(first=1, last=3, features=4, hidden=8))
    >>> codes = family.new_codes([Octree.of_points(torch.tensor([[0.1, 0.2, 0.3]]), first=1, last=3)])
    >>> family.field(codes)(torch.tensor([[[0.1, 0.2, 0.3], [-0.9, 0.0, 0.0]]])).density[0] > 0
    tensor([ True, False])
    """

    def __init__(self, config: OctreeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(config.inputs + config.view_inputs, config.hidden)
        self.output = nn.Linear(config.hidden, 1 + config.channels)
        with torch.no_grad():
            for layer in (self.hidden, self.output):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-bound, bound, generator=generator)
            if config.density == "relu":
                self.output.weight[0] *= 0.1
                self.output.bias[0] = START_DENSITY

    def new_codes(self, trees: Sequence[Octree], generator: torch.Generator | None = None) -> OctreeCodes:
        """Random features at the corners of octrees. Raises ValueError where their levels are not the family's."""
        self._check(trees)
        count = sum(sum(tree.corner_counts) for tree in trees)
        return OctreeCodes(tuple(trees), START_NOISE * torch.randn(count, self.config.features, generator=generator))

    def field(
        self,
        codes: OctreeCodes | QuantisedOctreeCodes,
        level: int | None = None,
        bounds: Float[Tensor, "B 2 3"] | None = None,
    ) -> "OctreeField":
        """The fields of objects, with only their first `level` levels present (all when None, or beyond the last).

        Octrees fill the cube [-1, 1]^3, whatever the `bounds` of objects are.
        """
        present = None if level is None else min(level, len(self.config.levels))
        return OctreeField(self, codes.trees, codes.features, present)

    def hull(
        self, codes: OctreeCodes | QuantisedOctreeCodes, bounds: Float[Tensor, "B 2 3"], level: int | None = None
    ) -> UInt8[Tensor, "B G G G"]:
        """The cells of each object's box that a voxel of the coarsest level reaches into."""
        side = self.config.guide_side
        cells = [tree.occupied(box, side) for tree, box in zip(codes.trees, bounds, strict=True)]
        return torch.stack(cells).to(torch.uint8)

    def _check(self, trees: Sequence[Octree]) -> None:
        for tree in trees:
            if tree.levels != self.config.levels:
                raise ValueError(
                    f"an octree of levels {tree.first} to {tree.last}, but the family has "
                    f"{self.config.first} to {self.config.last}"
                )

    def decode(self, features: Float[Tensor, "B N F"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Linear, ReLU, Linear; then the density. Without directions they count as 0."""
        if directions is None:
            directions = torch.zeros_like(features[..., :1]).expand(*features.shape[:-1], 3)
        of_features = self.hidden.weight[:, : self.config.inputs]
        values = self.output(functional.relu(functional.linear(features, of_features) + self.of_view(directions)))
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        raised = values[..., 0]
        soft = self.config.density == "softplus"
        density = self.config.density_gain * (functional.softplus(raised - 1.0) if soft else functional.relu(raised))
        # Sigmoid widened by 0.1 %: pure black and white stay reachable (MipNeRF, EG3D).
        return Samples(density, torch.sigmoid(values[..., 1:]) * 1.002 - 0.001)

    def of_view(self, directions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch H"]:
        """What the hidden layer gets of directions, with its bias: the same for all samples of a ray."""
        encoded = encode_directions(directions, self.config.view_frequencies)
        return functional.linear(encoded, self.hidden.weight[:, self.config.inputs :], self.hidden.bias)


class OctreeField(FusedField):
    """Fields of B objects: octrees, features at their corners, and one shared network. Empty outside of voxels.

    >>> family = OctreeFamily(OctreeConfig(first=1, last=3, features=4, hidden=8))
    >>> tree = Octree.of_points(torch.tensor([[0.1, 0.2, 0.3]]), first=1, last=3)
    >>> field = OctreeField(family, (tree,), torch.zeros(24, 4))
    >>> field.features(torch.tensor([[[0.1, 0.2, 0.3], [-0.9, 0.0, 0.0]]]))[1]
    tensor([[ True, False]])
    """

    guide_places = MANY

    def __init__(
        self,
        family: OctreeFamily,
        trees: tuple[Octree, ...],
        table: Float[Tensor, "M F"],
        level: int | None = None,
    ) -> None:
        family._check(trees)
        count = len(family.config.levels)
        if level is not None and not 1 <= level <= count:
            raise ValueError(f"level {level}: from 1 to {count} levels can be present")
        self.family = family
        self.trees = trees
        self.table = table
        self.level = count if level is None else level
        self.channels = family.config.channels
        corners = Corners.by_object(trees)
        if len(table) != corners.rows:
            raise ValueError(f"{len(table)} rows of features, but the octrees have {corners.rows} corners")
        self._corners = corners.first_levels(self.level)

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, row: int) -> "OctreeField":
        """The field of one object (B = 1)."""
        if not 0 <= row < len(self):
            raise IndexError(f"object {row} of {len(self)}")
        return self.family.field(OctreeCodes(self.trees, self.table)[row], self.level)

    def guide(self, density: float = 1.0) -> Float[Tensor, "B G G G"]:
        """A first guide for `render`: `density` in the voxels of the coarsest level, 0 elsewhere; bounds: the cube."""
        return density * torch.stack([tree.occupancy() for tree in self.trees]).float()

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Density and colour at points, seen along `directions` (unit length)."""
        features, inside = self.features(points)
        found = self.family.decode(features, directions)
        return Samples(found.density * inside, found.channels)

    def features(self, points: Float[Tensor, "B N 3"]) -> tuple[Float[Tensor, "B N F"], Bool[Tensor, "B N"]]:
        """What the network gets of points (zeros for levels that are not present), and which lie in any voxel."""
        features, inside = octree_features(self.table, self._corners, points, self.family.config.combine)
        return functional.pad(features, (0, self.family.config.inputs - features.shape[-1])), inside

    @property
    def is_compiled(self) -> bool:
        config = self.family.config
        return config.combine == "sum" and config.density == "softplus" and config.features % FEATURES == 0

    def texels(self) -> Texels:
        begins, trees = torch.zeros(len(self), dtype=torch.int64), walkable(self.trees)
        return Texels(self.table, begins, 2**self.family.config.first, CUBE.expand(len(self), 2, 3), trees, self.level)

    def tiny_decoder(self, directions: Float[Tensor, "*rays 3"]) -> TinyDecoder:
        """The network for rays in these directions, which its hidden layer sees; those of densities alone are 0."""
        family, config = self.family, self.family.config
        weight, bias = family.hidden.weight[:, : config.inputs], family.of_view(directions)
        output = family.output.weight, family.output.bias
        return TinyDecoder(weight, bias, *output, config.channels, 0, config.density_gain, "relu", "rgb")
