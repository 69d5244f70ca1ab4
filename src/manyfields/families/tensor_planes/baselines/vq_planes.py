"""Planes of tensor fields with texels of three kinds, by how much they matter (VQ-TensoRF, Li et al. 2023).

pruned     the least important, which together make up a small share of all importance: zeros
quantised  those between: an index each into a codebook of the plane
kept       the most important: numbers of their own
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from manyfields._checks import check_numbers
from manyfields.compression.bits import WIDEST
from manyfields.compression.kmeans import learn_codebook, nearest
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.grids import Factors, TensorGrids

PRUNED, QUANTISED, KEPT = range(3)


@dataclass(frozen=True)
class VqSplit:
    """Which texels are of which kind. The defaults are VQ-TensoRF's; its rates come from other codebooks."""

    bits: int = 12
    """2^bits entries a codebook; fewer where a plane has fewer texels to quantise."""
    pruned: float = 0.001
    """Share of the importance of a plane that its pruned texels make up together, at most."""
    kept: float = 0.7
    """Share of the importance of a plane that its kept texels make up together, about."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 1 <= self.bits <= WIDEST:
            raise ConfigError(f"codebooks of {self.bits} bits: from 1 to {WIDEST}")
        if not 0.0 <= self.pruned < 1.0 or not 0.0 <= self.kept <= 1.0 or self.pruned + self.kept > 1.0:
            raise ConfigError(
                f"shares pruned {self.pruned} and kept {self.kept}: from 0 to 1, and not above 1 together"
            )

    def kinds(self, importance: Float[Tensor, "H W"]) -> UInt8[Tensor, "H W"]:
        """The kind of each texel of a plane; without any importance all are pruned."""
        order = importance.flatten().double().argsort()
        summed = importance.flatten().double()[order].cumsum(0)
        shares = summed / summed[-1].clamp(min=1e-300)
        ranked = torch.full_like(order, QUANTISED, dtype=torch.uint8)
        ranked[shares > 1.0 - self.kept] = KEPT
        ranked[shares <= self.pruned] = PRUNED
        return torch.empty_like(ranked).index_copy(0, order, ranked).view(importance.shape)


@dataclass(frozen=True, eq=False)
class VqPlane:
    """One plane: `indices` of the quantised texels and numbers of the kept ones, both in the order of rows."""

    kinds: UInt8[Tensor, "H W"]
    codebook: Float[Tensor, "K C"]
    indices: Int[Tensor, " m"]
    kept: Float[Tensor, "n C"]

    @staticmethod
    def of_plane(
        plane: Float[Tensor, "H W C"], importance: Float[Tensor, "H W"], split: VqSplit, seed: int = 0
    ) -> "VqPlane":
        """A plane's own numbers, and a codebook by k-means, to which texels count by their importance."""
        kinds = split.kinds(importance)
        some, weights = plane[kinds == QUANTISED], importance[kinds == QUANTISED]
        bits = min(split.bits, max(1, math.ceil(math.log2(max(2, len(some))))))
        codebook = learn_codebook(some, bits, seed=seed, weights=weights)
        return VqPlane(kinds, codebook, nearest(some, codebook), plane[kinds == KEPT])

    @staticmethod
    def only_kept(plane: Float[Tensor, "H W C"], kept: Bool[Tensor, "H W"]) -> "VqPlane":
        """Some texels as they are, and no others."""
        nothing = plane.new_zeros(2, plane.shape[-1])
        return VqPlane(kept.to(torch.uint8) * KEPT, nothing, torch.zeros(0, dtype=torch.int64), plane[kept])

    @property
    def bits(self) -> int:
        return len(self.codebook).bit_length() - 1

    def plane(self) -> Float[Tensor, "H W C"]:
        """All texels, with gradients to codebook and kept numbers."""
        rows = self.kinds.flatten()
        table = self.kept.new_zeros(len(rows), self.kept.shape[1])
        table = table.index_copy(0, (rows == QUANTISED).nonzero()[:, 0], self.codebook[self.indices])
        table = table.index_copy(0, (rows == KEPT).nonzero()[:, 0], self.kept)
        return table.view(*self.kinds.shape, -1)

    def with_numbers(self, codebook: Tensor, kept: Tensor) -> "VqPlane":
        return VqPlane(self.kinds, codebook, self.indices, kept)


@dataclass(frozen=True, eq=False)
class VqScene:
    """One scene: where it is (box, alpha mask, map), its planes (those of density, then of appearance), its vectors."""

    box: Float[Tensor, "2 3"]
    mask: UInt8[Tensor, "G G G"]
    map: Float[Tensor, "4 4"] | None
    planes: tuple[VqPlane, ...]
    vectors: tuple[Tensor, ...]

    @staticmethod
    def of_grids(
        grids: TensorGrids, importance: Sequence[Float[Tensor, "_ _"]], split: VqSplit, seed: int = 0
    ) -> "VqScene":
        """`importance`: a map for each plane XY, XZ, YZ, that of density and that of appearance alike."""
        planes = grids.density.planes + grids.appearance.planes
        made = [
            VqPlane.of_plane(plane, importance[number % 3], split, seed + number) for number, plane in enumerate(planes)
        ]
        vectors = grids.density.vectors + grids.appearance.vectors
        return VqScene(grids.box, grids.mask, grids.map, tuple(made), vectors)

    @property
    def numbers(self) -> list[Tensor]:
        """All that learns: codebooks, kept numbers, vectors."""
        return [p.codebook for p in self.planes] + [p.kept for p in self.planes] + list(self.vectors)

    def with_numbers(self, numbers: Sequence[Tensor]) -> "VqScene":
        """The same scene with other numbers, in the order of `numbers`."""
        pairs = zip(self.planes, numbers[:6], numbers[6:12], strict=True)
        planes = tuple(plane.with_numbers(codebook, kept) for plane, codebook, kept in pairs)
        return VqScene(self.box, self.mask, self.map, planes, tuple(numbers[12:]))

    def grids(self) -> TensorGrids:
        """What renders, with gradients to `numbers`."""
        planes = tuple(plane.plane() for plane in self.planes)
        density, appearance = Factors(planes[:3], self.vectors[:3]), Factors(planes[3:], self.vectors[3:])
        return TensorGrids(self.box, density, appearance, self.mask, self.map)
