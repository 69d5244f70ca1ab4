"""Samples along rays to channels, opacity and depth, in PyTorch: what every fused form must equal."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import Field
from manyfields.rendering.compositing import compositing_weights


def plain_march(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Channels without a background, opacity, and depth of rays, from samples in order along them.

    Each sample stands for a stretch of the ray of its length; one of length 0 counts for nothing. Opacity is the sum of
    the compositing weights, depth their mean distance (0 where opacity is below 1e-6).
    """
    objects, count, samples = distances.shape
    points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
    along = directions.unsqueeze(2).expand_as(points).reshape(objects, -1, 3)
    found = field(points.view(objects, -1, 3), along)
    density, channels = found.density.view(distances.shape), found.channels.view(objects, count, samples, -1)
    return composite(compositing_weights(density, lengths), channels, distances)


def composite(
    weights: Float[Tensor, "B R S"], channels: Float[Tensor, "B R S C"], distances: Float[Tensor, "B R S"]
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Sums over the samples of rays."""
    opacity = weights.sum(-1)
    with torch.autocast(weights.device.type, enabled=False):
        seen = (weights.unsqueeze(-2) @ channels).squeeze(-2)
    return seen, opacity, (weights * distances).sum(-1) / opacity.clamp(min=1e-6)
