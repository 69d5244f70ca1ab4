"""Which texels of the planes of a tensor field matter: how much of what training rays see is read from each.

    samples of rays -> compositing weights -> splatted bilinearly on planes XY, XZ, YZ -> log, normalised

A texel that no ray sees may hold anything. Neural NeRF Compression (2024), equations 4 and 5, after VQRF (Li et al.
2023): the score of a texel is the gradient, to that texel, of the sum of weight times sample of a plane of ones.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.families.tensor_planes.field import TensorField
from manyfields.families.tensor_planes.products import texels_between
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, Resolution
from manyfields.rendering.sampling import Sampler
from manyfields.rendering.seen_places import Maps, seen_places


@torch.no_grad()
def importance_scores(
    field: TensorField,
    rays: Rays,
    weights: Float[Tensor, " R"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
) -> Maps:
    """Scores of the texels of one scene: compositing weights of samples of rays (1, R), each ray times its weight."""
    grids = field.grids[0]
    scores = [
        torch.zeros(grids.resolution[row], grids.resolution[column])
        for row, column in zip(ROW_AXES, COLUMN_AXES, strict=True)
    ]
    for places, seen in seen_places(field, rays, weights, sampler, bounds=bounds, guide=guide):
        for total, own in zip(scores, splatted(places, seen, grids.resolution), strict=True):
            total += own
    return tuple(scores)


def splatted(places: Float[Tensor, "N 3"], weights: Float[Tensor, " N"], resolution: Resolution) -> Maps:
    """Weights of points, each shared out to the four texels that it reads on each plane.

    `places` as for `products`: 0 and 1 are the faces of the box.
    """
    maps = []
    for row_axis, column_axis in zip(ROW_AXES, COLUMN_AXES, strict=True):
        rows, columns = resolution[row_axis], resolution[column_axis]
        (left, x), (top, y) = (
            texels_between(places[:, column_axis], columns),
            texels_between(places[:, row_axis], rows),
        )
        x, y = x.squeeze(1), y.squeeze(1)
        total = weights.new_zeros(rows * columns)
        corners = (((1 - x) * (1 - y), 0), (x * (1 - y), 1), ((1 - x) * y, columns), (x * y, columns + 1))
        for share, further in corners:
            total.index_add_(0, top * columns + left + further, weights * share)
        maps.append(total.view(rows, columns))
    return tuple(maps)
