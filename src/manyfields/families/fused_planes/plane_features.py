"""Features of points from three axis-aligned planes: one weighted gather forward, one weighted scatter back.

A point reads 12 rows of a table (3 planes x 4 corners) and sums them with bilinear weights. As a sum over a bag of rows
it is far faster on CPU than `grid_sample`: features are stored last, and nothing in between is kept.
The backward pass is the transposed sum: the same entries sorted by row instead of by point. On CPUs with numba compiled
kernels do both without the list of rows.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES


def plane_features(planes: Float[Tensor, "B 3 H W C"], points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N C"]:
    """The sum over planes XY, XZ, YZ of their bilinear features at `points`.

    The corners of a plane lie at -1 and 1 (`align_corners=True` of `grid_sample`); points outside are clamped to the
    border. Gradients reach the planes, not the points. Equation 1 of EG3D (Chan et al. 2022), with YZ in place.

    >>> planes = torch.ones(1, 3, 4, 4, 2)
    >>> plane_features(planes, torch.zeros(1, 1, 3))
    tensor([[[3., 3.]]])
    """
    objects, count, _ = points.shape
    if planes.shape[0] != objects:
        raise ValueError(f"{planes.shape[0]} objects of planes, but {objects} of points")
    if compiled_for(planes, points):
        return _CompiledTexels.apply(planes, points.detach().contiguous())
    rows, weights = corner_rows(points, planes.shape[2], planes.shape[3])
    table = planes.reshape(-1, planes.shape[-1])
    return _WeightedTexels.apply(table, rows, weights).view(objects, count, -1)


def corner_rows(
    points: Float[Tensor, "B N 3"], height: int, width: int
) -> tuple[Int[Tensor, "BN 12"], Float[Tensor, "BN 12"]]:
    """For each point, the 12 rows of the table (object, plane, y, x) that it reads, and their weights."""
    objects = points.shape[0]
    unit = (points.clamp(-1.0, 1.0) + 1.0) * 0.5
    columns = unit[..., COLUMN_AXES] * (width - 1)
    lines = unit[..., ROW_AXES] * (height - 1)
    left = columns.to(torch.int32).clamp_(max=width - 2)
    top = lines.to(torch.int32).clamp_(max=height - 2)
    right_share = columns - left
    bottom_share = lines - top
    both = right_share * bottom_share
    weights = torch.stack([1 - right_share - bottom_share + both, right_share - both, bottom_share - both, both], -1)
    plane = torch.arange(objects * 3, device=points.device).view(objects, 1, 3) * (height * width)
    first = plane + top.long() * width + left
    corners = torch.tensor([0, 1, width, width + 1], device=points.device)
    rows = first.unsqueeze(-1) + corners
    return rows.view(-1, 12), weights.view(-1, 12)


class _WeightedTexels(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.table_rows = table.shape[0]
        return functional.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        rows, weights = ctx.saved_tensors
        sorted_rows, order = torch.sort(rows.view(-1), stable=True)
        starts = torch.searchsorted(sorted_rows, torch.arange(ctx.table_rows, device=rows.device))
        table_gradient = functional.embedding_bag(
            order // rows.shape[1],
            gradient.contiguous(),
            starts,
            per_sample_weights=weights.view(-1)[order].to(gradient.dtype),
            mode="sum",
        )
        return table_gradient, None, None


class _CompiledTexels(torch.autograd.Function):
    @staticmethod
    def forward(ctx, planes: Tensor, points: Tensor) -> Tensor:
        from manyfields.families.fused_planes.plane_kernels import gather

        ctx.save_for_backward(points)
        ctx.shape = planes.shape
        features = planes.new_empty(*points.shape[:2], planes.shape[-1])
        gather(planes.detach().contiguous().numpy(), points.numpy(), features.numpy())
        return features

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        from manyfields.families.fused_planes.plane_kernels import scatter

        (points,) = ctx.saved_tensors
        planes_gradient = torch.zeros(ctx.shape)
        scatter(gradient.float().contiguous().numpy(), points.numpy(), planes_gradient.numpy())
        return planes_gradient, None
