"""Samples along rays through tensor fields: density of all, colours only of those that are seen.

    places -> density -> compositing weights -> colours where a weight is above 1e-4 -> sums along rays

A colour costs a network of three layers, a density a few products; on a ray past an object's surface a few samples of
dozens are seen. TensoRF (Chen et al. 2022) does the same.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import SceneField
from manyfields.rendering.compositing import compositing_weights

FAINTEST = 1e-4
"""Weight up to which a sample's colour counts for nothing."""


def density_first_march(
    field: SceneField,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """As `fused.plain_march`, but for the colours of faint samples."""
    rays = zip(origins, directions, distances, lengths, strict=True)
    seen, opacity, depth = zip(*(_one(field[row], *each) for row, each in enumerate(rays)), strict=True)
    return torch.stack(seen), torch.stack(opacity), torch.stack(depth)


def _one(
    field: SceneField, origins: Tensor, directions: Tensor, distances: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays of one object: (R, 3), (R, 3), (R, S), (R, S)."""
    samples = distances.shape[1]
    filled = (lengths > 0).flatten().nonzero().squeeze(1)
    ray = filled // samples
    points = origins[ray] + distances.flatten()[filled, None] * directions[ray]
    found = field.density(points[None])[0]
    density = found.new_zeros(distances.numel()).index_copy(0, filled, found).view(distances.shape)
    weights = compositing_weights(density[None], lengths[None])[0]
    opacity = weights.sum(-1)
    depth = (weights * distances).sum(-1) / opacity.clamp(min=1e-6)

    bright = (weights.detach().flatten()[filled] > FAINTEST).nonzero().squeeze(1)
    seen_by = ray[bright]
    colors = field.colors(points[None, bright], directions[None, seen_by])[0]
    shares = weights.flatten()[filled[bright], None] * colors
    return shares.new_zeros(len(origins), field.channels).index_add(0, seen_by, shares), opacity, depth
