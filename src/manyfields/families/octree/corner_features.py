"""Features of points from the corners of sparse octrees: trilinear at each level, zeros where a level has no voxel.

Rows of a table hold the corners of B objects: those of object b at its l-th level begin at row `starts[b, l]`. On CPUs
with numba each point walks down the octree in a compiled kernel, forward and backward; else rows and weights are
written out and summed as bags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.families.octree.tree import OCTANTS, Octree, lattice_places

Combine = Literal["sum", "concat"]


@dataclass(frozen=True, eq=False)
class Corners:
    """The corners of B octrees as the rows of one table, and how many of their levels (L) are present."""

    trees: Sequence[Octree]
    starts: Int[Tensor, "B L"]

    @staticmethod
    def by_object(trees: Sequence[Octree]) -> "Corners":
        """One object after the other, its levels within: as codes are kept."""
        counts = torch.tensor([tree.corner_counts for tree in trees])
        return Corners(trees, (counts.flatten().cumsum(0) - counts.flatten()).view_as(counts))

    @property
    def rows(self) -> int:
        """Rows of a whole table."""
        return sum(sum(tree.corner_counts) for tree in self.trees)

    def first_levels(self, count: int) -> "Corners":
        return Corners(self.trees, self.starts[:, :count].contiguous())


def octree_features(
    table: Float[Tensor, "K F"], corners: Corners, points: Float[Tensor, "B N 3"], combine: Combine = "sum"
) -> tuple[Float[Tensor, "B N G"], Bool[Tensor, "B N"]]:
    """Features of points, and which of them lie in a voxel of the coarsest level.

    Levels are summed (G = F) or side by side (G = L * F). Gradients reach the table, not the points.
    """
    if points.shape[0] != len(corners.trees):
        raise ValueError(f"{len(corners.trees)} octrees, but {points.shape[0]} objects of points")
    if compiled_for(table, points):
        return _CompiledCorners.apply(table, corners, points.detach().contiguous(), combine)
    found = [_places(corners, row, inner.detach()) for row, inner in enumerate(points)]
    rows, weights = torch.stack([place[0] for place in found]), torch.stack([place[1] for place in found])
    groups = 1 if combine == "sum" else corners.starts.shape[1]
    rows, weights = rows.view(-1, rows.shape[-1] // groups), weights.view(-1, weights.shape[-1] // groups)
    features = _WeightedCorners.apply(table, rows, weights)
    return features.view(*points.shape[:2], -1), torch.stack([place[2] for place in found])


def _places(corners: Corners, row: int, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For the points of an object: rows and weights (N, 8 L) of the corners they read, and whether they read any.

    Where a level has no voxel, weights and rows are 0.
    """
    tree = corners.trees[row]
    places, shares = [], []
    for level, start in enumerate(corners.starts[row].tolist()):
        voxels = tree.find(points, tree.first + level)
        inside = voxels >= 0
        if not level:
            anywhere = inside
        side = 2 ** (tree.first + level)
        at = lattice_places(points, tree.first + level)
        right = (at - at.floor().clamp(0, side - 1)).unsqueeze(1)
        steps = torch.tensor(OCTANTS, device=points.device)
        weights = torch.where(steps > 0, right, 1 - right).prod(-1)
        found = voxels.new_zeros(len(points), 8)
        found[inside] = tree.corner_of[level][voxels[inside]] + start
        places.append(found)
        shares.append(torch.where(inside.unsqueeze(-1), weights, 0.0))
    rows, weights = torch.cat(places, -1), torch.cat(shares, -1)
    return torch.where(weights != 0, rows, 0), weights, anywhere


def _walk(corners: Corners, row: int) -> tuple:
    """What the kernels need to walk down the octree of an object."""
    tree = corners.trees[row]
    packed = tree.packed
    return tree.first, packed.roots, packed.children, packed.corner_of, corners.starts[row]


def _arrays(values: tuple) -> list:
    """The same with numpy arrays in the place of tensors."""
    return [value.numpy() if isinstance(value, Tensor) else value for value in values]


class _WeightedCorners(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        weights = weights.to(table.dtype)
        ctx.save_for_backward(rows, weights)
        ctx.table_rows = table.shape[0]
        return functional.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        rows, weights = ctx.saved_tensors
        total = gradient.new_zeros(ctx.table_rows, gradient.shape[1])
        for corner in range(rows.shape[1]):  # one at a time: all at once would be 8 L times the gradient
            total.index_add_(0, rows[:, corner], weights[:, corner : corner + 1] * gradient)
        return total, None, None


class _CompiledCorners(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table: Tensor, corners: Corners, points: Tensor, combine: Combine) -> tuple[Tensor, Tensor]:
        from manyfields.families.octree.corner_kernels import gather

        size, levels = table.shape[1], corners.starts.shape[1]
        ctx.save_for_backward(points)
        ctx.corners, ctx.shape, ctx.stride = corners, table.shape, 0 if combine == "sum" else size
        features = table.new_zeros(*points.shape[:2], size if combine == "sum" else size * levels)
        inside = torch.zeros(points.shape[:2], dtype=torch.bool)
        ctx.mark_non_differentiable(inside)
        whole = table.detach().contiguous()
        for row, inner in enumerate(points):
            given = (inner, *_walk(corners, row), whole, ctx.stride, features[row], inside[row])
            gather(*_arrays(given))
        return features, inside

    @staticmethod
    def backward(ctx, gradient: Tensor, _: None) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        from manyfields.families.octree.corner_kernels import scatter

        (points,) = ctx.saved_tensors
        total = torch.zeros(ctx.shape)
        values = gradient.float().contiguous()
        for row, inner in enumerate(points):
            given = (inner, *_walk(ctx.corners, row), values[row], ctx.stride, total)
            scatter(*_arrays(given))
        return total, None, None, None
