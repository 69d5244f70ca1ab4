"""Codes of octree objects: their octrees with a table of features, or with indices into codebooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.families.octree.tree import Octree

MOST_BITS = 10
"""Of an index that is learned."""


@dataclass(frozen=True, eq=False)
class OctreeCodes:
    """Codes of B objects: their octrees, and the features of all their corners in one table.

    Rows of an object follow those of the one before it (`offsets`), and within it level follows level, coarse first.

    >>> tree = Octree.of_points(torch.tensor([[0.1, 0.2, 0.3]]), first=1, last=3)
    >>> codes = OctreeCodes((tree, tree), torch.zeros(48, 4))
    >>> len(codes), codes.offsets
    (2, tensor([ 0, 24, 48]))
    """

    trees: tuple[Octree, ...]
    features: Float[Tensor, "M F"]

    @staticmethod
    def concatenate(parts: Sequence["OctreeCodes"]) -> "OctreeCodes":
        features = parts[0].features if len(parts) == 1 else torch.cat([part.features for part in parts])
        return OctreeCodes(tuple(tree for part in parts for tree in part.trees), features)

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def offsets(self) -> Int[Tensor, " B1"]:
        """Where the rows of each object begin, and where the last one's end."""
        return torch.tensor([0, *(sum(tree.corner_counts) for tree in self.trees)]).cumsum(0)

    def __getitem__(self, rows: int | Sequence[int]) -> "OctreeCodes":
        """The codes of some objects; a single index keeps the leading dimension (B = 1)."""
        taken = _rows(rows, len(self))
        parts = self.features.split([sum(tree.corner_counts) for tree in self.trees])
        features = parts[taken[0]] if len(taken) == 1 else torch.cat([parts[row] for row in taken])
        return OctreeCodes(tuple(self.trees[row] for row in taken), features)

    def to(self, device: torch.device | str) -> "OctreeCodes":
        return OctreeCodes(tuple(tree.to(device) for tree in self.trees), self.features.to(device))


@dataclass(frozen=True, eq=False)
class QuantisedLevel:
    """One level of one object: which entry of its codebook each corner has.

    >>> level = QuantisedLevel(torch.tensor([0, 3, 1]), torch.arange(8.0).view(4, 2))
    >>> level.bits, level.features[1]
    (2, tensor([6., 7.]))
    """

    indices: Int[Tensor, " m"]
    codebook: Float[Tensor, "K F"]

    @property
    def bits(self) -> int:
        """Bits of an index: enough for every entry of the codebook."""
        return max(len(self.codebook) - 1, 1).bit_length()

    @property
    def features(self) -> Float[Tensor, "m F"]:
        return self.codebook[self.indices]


@dataclass(frozen=True, eq=False)
class QuantisedOctreeCodes:
    """Codes of B objects whose features are entries of codebooks: each level of each object has one of its own.

    >>> tree = Octree.of_points(torch.tensor([[0.1, 0.2, 0.3]]), first=1, last=2)
    >>> level = QuantisedLevel(torch.zeros(8, dtype=torch.long), torch.ones(2, 4))
    >>> QuantisedOctreeCodes((tree,), ((level, level),)).features.shape
    torch.Size([16, 4])
    """

    trees: tuple[Octree, ...]
    levels: tuple[tuple[QuantisedLevel, ...], ...]
    """Those of each object, coarse first: one for every level of its octree."""

    def __post_init__(self) -> None:
        for tree, levels in zip(self.trees, self.levels, strict=True):
            counts = tuple(len(level.indices) for level in levels)
            if counts != tree.corner_counts:
                raise ValueError(f"indices of {counts} corners for an octree whose levels have {tree.corner_counts}")

    @staticmethod
    def concatenate(parts: Sequence["QuantisedOctreeCodes"]) -> "QuantisedOctreeCodes":
        trees = tuple(tree for part in parts for tree in part.trees)
        return QuantisedOctreeCodes(trees, tuple(levels for part in parts for levels in part.levels))

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, rows: int | Sequence[int]) -> "QuantisedOctreeCodes":
        """The codes of some objects; a single index keeps the leading dimension (B = 1)."""
        taken = _rows(rows, len(self))
        return QuantisedOctreeCodes(tuple(self.trees[r] for r in taken), tuple(self.levels[r] for r in taken))

    @cached_property
    def features(self) -> Float[Tensor, "M F"]:
        """The table of features that the indices mean, laid out as that of `OctreeCodes`."""
        return torch.cat([level.features for levels in self.levels for level in levels])

    def to(self, device: torch.device | str) -> "QuantisedOctreeCodes":
        levels = tuple(
            tuple(QuantisedLevel(level.indices.to(device), level.codebook.to(device)) for level in levels)
            for levels in self.levels
        )
        return QuantisedOctreeCodes(tuple(tree.to(device) for tree in self.trees), levels)


def _rows(rows: int | Sequence[int], count: int) -> list[int]:
    taken = [rows] if isinstance(rows, int) else list(rows)
    for row in taken:
        if not -count <= row < count:
            raise IndexError(f"object {row} of {count}")
    return taken
