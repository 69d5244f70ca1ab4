"""Sparse octrees: which voxels of [-1, 1]^3 an object has at each level, and the corners that they share.

    points ──► codes of voxels, sorted, a level each ──► codes of corners, sorted, each once
                        │                                          ▲
                        └──────────── corner_of (n, 8) ────────────┘

Only structure: what is stored at corners belongs to whoever uses them. A level l has 2^l voxels and 2^l + 1 corners
along each axis. Memory: 8 bytes a voxel and 8 a corner, 64 for a voxel's corners and 64 for its children.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int
from torch import Tensor

from manyfields.families.octree.morton import HIGHEST, decode, encode

OCTANTS = tuple((i & 1, i >> 1 & 1, i >> 2) for i in range(8))  # x fastest, then y, then z


class Levels(Protocol):
    """What says which levels an octree has: the config of a family."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def levels(self) -> range: ...


@dataclass(frozen=True, eq=False)
class Octree:
    """Sparse voxels of [-1, 1]^3 at feature levels `first` .. `last`; the parent of each voxel is there too.

    >>> tree = Octree.of_points(torch.tensor([[0.1, 0.2, 0.3]]), first=1, last=3)
    >>> [len(voxels) for voxels in tree.voxels], tree.corner_counts
    ([1, 1, 1], (8, 8, 8))
    """

    first: int
    voxels: tuple[Int[Tensor, " _"], ...]
    """Morton codes (int64) of the voxels, sorted; one tensor a level."""
    corners: tuple[Int[Tensor, " _"], ...]
    """Morton codes (int64) of the lattice points 0 .. 2^l that are corners of voxels, sorted, each once."""
    corner_of: tuple[Int[Tensor, "_ 8"], ...]
    """Which corners (int64) are those of each voxel: x fastest, then y, then z."""

    @staticmethod
    def of_points(points: Float[Tensor, "P 3"], first: int, last: int, *, dilate: int = 0) -> "Octree":
        """The voxels that contain a point, and `dilate` rings of their neighbours at the finest level, with parents.

        Raises ValueError where a point lies outside the cube [-1, 1]^3 or is not finite, and where there is none.
        """
        _check_levels(first, last)
        cells, inside = _cells(points, last)
        if not bool(inside.all()):
            raise ValueError(f"{int((~inside).sum())} of {len(points)} points lie outside the cube [-1, 1]^3")
        codes = torch.unique(encode(cells))
        for _ in range(dilate):
            codes = torch.unique(_with_neighbours(codes, last))
        return Octree.of_voxels(codes, first, last)

    @staticmethod
    def of_voxels(
        voxels: Int[Tensor, " n"] | Sequence[Int[Tensor, " _"]], first: int, last: int | None = None
    ) -> "Octree":
        """An octree of these voxels, given by their Morton codes in any order; parents that are missing are added.

        `voxels`: those of level `last`, or one tensor for each level from `first` on. Raises ValueError where a code is
        none of its level, and where there is no voxel.
        """
        if isinstance(voxels, Tensor):
            if last is None:
                raise ValueError("voxels of one level: say which, by `last`")
            _check_levels(first, last)
            given = [voxels.new_empty(0)] * (last - first) + [voxels]
        else:
            given = list(voxels)
            _check_levels(first, first + len(given) - 1)
        kept: list[Tensor] = []
        children = given[-1].new_empty(0)
        for level, codes in reversed(list(enumerate(given, first))):
            if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= 8**level):
                raise ValueError(f"codes of voxels at level {level} must be from 0 to {8**level - 1}")
            children = torch.unique(torch.cat([codes.long(), children >> 3]))
            kept.insert(0, children)
        if not len(kept[0]):
            raise ValueError("an octree needs at least one voxel: there is no point")
        corners, corner_of = zip(*(_corners(codes) for codes in kept), strict=True)
        return Octree(first, tuple(kept), corners, corner_of)

    @property
    def last(self) -> int:
        return self.first + len(self.voxels) - 1

    @property
    def levels(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def corner_counts(self) -> tuple[int, ...]:
        """How many corners each level has, coarse first."""
        return tuple(len(codes) for codes in self.corners)

    @cached_property
    def children(self) -> tuple[Int[Tensor, "_ 8"], ...]:
        """Which voxels of the next level are the children of each voxel, -1 where there is none; all levels but one."""
        octants = torch.arange(8, device=self.voxels[0].device)
        return tuple(
            _search(finer, (codes.unsqueeze(-1) << 3) | octants)
            for codes, finer in zip(self.voxels, self.voxels[1:], strict=False)
        )

    def find(self, points: Float[Tensor, "N 3"], level: int) -> Int[Tensor, " N"]:
        """Which voxel of `level` each point lies in, -1 where there is none.

        Voxels are half open, but for those at the far faces of the cube, which hold them.
        """
        cells, inside = _cells(points, level)
        found = _search(self.voxels[level - self.first], encode(cells))
        return torch.where(inside, found, -1)

    def occupancy(self) -> Bool[Tensor, "G G G"]:
        """The voxels of the coarsest level as a dense grid [x, y, z], G = 2^first."""
        side = 2**self.first
        grid = torch.zeros(side, side, side, dtype=torch.bool, device=self.voxels[0].device)
        x, y, z = decode(self.voxels[0]).unbind(-1)
        grid[x, y, z] = True
        return grid

    def occupied(self, box: Float[Tensor, "2 3"], side: int) -> Bool[Tensor, "S S S"]:
        """Which of `side`^3 cells [x, y, z] of a box (low, high) a voxel of the coarsest level reaches into."""
        filled = self.occupancy()
        edges = box[:1] + (box[1:] - box[:1]) * torch.linspace(0.0, 1.0, side + 1, device=box.device).unsqueeze(1)
        places = lattice_places(edges, self.first).clamp(0, 2**self.first)
        for axis in range(3):
            starts, ends = places[:-1, axis].floor().long(), places[1:, axis].ceil().long()
            counts = functional.pad(filled.movedim(axis, -1).cumsum(-1), (1, 0))
            filled = (counts[..., ends] > counts[..., starts]).movedim(-1, axis)
        return filled

    @cached_property
    def packed(self) -> "PackedOctree":
        """The same structure as the compiled kernels read it."""
        starts = torch.tensor([0, *(len(codes) for codes in self.voxels)]).cumsum(0).tolist()
        levels = zip(self.children, starts[1:], strict=False)
        links = [torch.where(found < 0, -1, found + start) for found, start in levels]
        children = torch.cat(links) if links else self.corner_of[0].new_empty(0, 8)
        return PackedOctree(self.voxels[0], children.to(torch.int32), torch.cat(self.corner_of).to(torch.int32))

    def to(self, device: torch.device | str) -> "Octree":
        def moved(tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
            return tuple(tensor.to(device) for tensor in tensors)

        return Octree(self.first, moved(self.voxels), moved(self.corners), moved(self.corner_of))


@dataclass(frozen=True, eq=False)
class PackedOctree:
    """All voxels of an octree in one list, coarse first: what compiled kernels walk down."""

    roots: Int[Tensor, " r"]
    """Morton codes of the voxels of the first level, sorted; they are the first r of the list."""
    children: Int[Tensor, "i 8"]
    """int32: where in the list the children of voxels are, -1 where there is none; not for those of the last level."""
    corner_of: Int[Tensor, "n 8"]
    """int32, counted from the first corner of the voxel's own level."""


def lattice_places(points: Float[Tensor, "N 3"], level: int) -> Float[Tensor, "N 3"]:
    """Points of [-1, 1]^3 in units of the voxels of `level`: 0 .. 2^l. Levels agree to the last bit."""
    return (points + 1.0) * 2.0 ** (level - 1)


def _cells(points: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Cell [x, y, z] of each point, and whether the cube holds it (else its cell is that of the middle)."""
    inside = (points.abs() <= 1.0).all(-1)
    cells = lattice_places(torch.where(inside.unsqueeze(-1), points, 0.0), level).long()
    return cells.clamp_(max=2**level - 1), inside


def _search(codes: Tensor, wanted: Tensor) -> Tensor:
    """Where each of `wanted` is among sorted codes, -1 where it is not."""
    if not len(codes):
        return torch.full_like(wanted, -1)
    at = torch.searchsorted(codes, wanted.contiguous()).clamp_(max=len(codes) - 1)
    return torch.where(codes[at] == wanted, at, -1)


def _with_neighbours(codes: Tensor, level: int) -> Tensor:
    steps = torch.cartesian_prod(*[torch.arange(-1, 2, device=codes.device)] * 3)
    cells = (decode(codes).unsqueeze(1) + steps).view(-1, 3)
    return encode(cells[((cells >= 0) & (cells < 2**level)).all(-1)])


def _corners(voxels: Tensor) -> tuple[Tensor, Tensor]:
    steps = torch.tensor(OCTANTS, device=voxels.device)
    codes = encode(decode(voxels).unsqueeze(1) + steps)
    return torch.unique(codes, return_inverse=True)


def _check_levels(first: int, last: int) -> None:
    if not 0 <= first <= last <= HIGHEST:
        raise ValueError(f"levels {first} to {last}: from 0 to {HIGHEST}, coarse first")
