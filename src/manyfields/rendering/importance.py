"""Which texels of the planes of a tensor field matter: how much of what training rays see is read from each.

    samples of rays -> compositing weights -> splatted bilinearly on planes XY, XZ, YZ -> log, normalised

A texel that no ray sees may hold anything. Neural NeRF Compression (2024), equations 4 and 5, after VQRF (Li et al.
2023): the score of a texel is the gradient, to that texel, of the sum of weight times sample of a plane of ones.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.fields import FactorField, SceneField, TensorField
from manyfields.fields.factor_products import read_factors
from manyfields.fields.plane_features import COLUMN_AXES, ROW_AXES
from manyfields.fields.scenes import places_of
from manyfields.fields.tensor_grids import Resolution
from manyfields.fields.tensor_products import texels_between
from manyfields.rendering.compositing import compositing_weights
from manyfields.rendering.guided import guided_samples
from manyfields.rendering.render import SPREAD_AT_REST
from manyfields.rendering.sampling import Sampler, draw_offsets
from manyfields.rendering.warping import warped

FLOOR = 0.01  # added to scores before their logarithm
RAYS_AT_ONCE = 4096

Maps = tuple[Tensor, ...]
"""Of the planes XY, XZ, YZ, each (H, W)."""


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


def basis_importance(
    field: FactorField,
    rays: Rays,
    weights: Float[Tensor, " R"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
) -> tuple[Float[Tensor, "_ _ _"], ...]:
    """Likewise of the texels of basis grids: all the places of the box where a grid repeats count together."""
    grids, config = field.grids[0], field.family.config
    ones = grids.with_tensors([torch.ones_like(own[..., :1]) for own in grids.tensors])
    learned = [basis.requires_grad_() for basis in ones.bases]
    for places, seen in seen_places(field, rays, weights, sampler, bounds=bounds, guide=guide):
        with torch.enable_grad():
            read = read_factors(ones, places, config.frequencies, config.wave)
            (read[:, : len(learned)] * seen[:, None]).sum().backward()
    return tuple(own.grad[..., 0] if own.grad is not None else own.detach()[..., 0] * 0 for own in learned)


@torch.no_grad()
def seen_places(
    field: SceneField,
    rays: Rays,
    weights: Float[Tensor, " R"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "1 2 3"],
    guide: Float[Tensor, "1 G G G"],
) -> Iterator[tuple[Float[Tensor, "N 3"], Float[Tensor, " N"]]]:
    """Samples of rays (1, R) in the box of a scene (0 and 1 are its faces), and what each adds to its ray's colour."""
    if field.maps is not None:
        rays = warped(rays, field.maps)
    for part in torch.arange(rays.origins.shape[1]).split(RAYS_AT_ONCE):
        origins, directions = rays.origins[:, part], rays.directions[:, part]
        offsets = draw_offsets(origins.new_empty(1, len(part), sampler.guided), None)
        distances, lengths, _ = guided_samples(
            origins, directions, bounds, guide, offsets, bins=sampler.bins, spread=SPREAD_AT_REST
        )
        points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
        density = field.density(points.flatten(1, 2)).view(distances.shape)
        seen = (compositing_weights(density, lengths)[0] * weights[part, None]).flatten()
        yield places_of(field.grids[0].box, points.view(-1, 3)), seen


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


def importance_weights(scores: Sequence[Float[Tensor, "..."]]) -> Maps:
    """Weights of texels in a loss: the logarithm of scores, brought to [0, 1] plane by plane, or grid by grid.

    A plane whose scores are all the same gets ones.
    """
    made = []
    for plane in scores:
        logarithm = (plane + FLOOR).log()
        low, high = logarithm.amin(), logarithm.amax()
        made.append((logarithm - low) / (high - low) if high > low else torch.ones_like(plane))
    return tuple(made)


def importance_pictures(weights: Sequence[Float[Tensor, "_ _"]]) -> list[UInt8[Tensor, "_ _"]]:
    """Grey images (uint8) of weights in [0, 1], the second letter of the plane's name upwards."""
    return [(plane.clamp(0.0, 1.0).flip(0) * 255.0).round().to(torch.uint8) for plane in weights]
