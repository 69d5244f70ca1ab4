"""Density and channels along rays, composited front to back."""

import torch
from jaxtyping import Float
from torch import Tensor


def compositing_weights(density: Float[Tensor, "B R S"], lengths: Float[Tensor, "B R S"]) -> Float[Tensor, "B R S"]:
    """The share of each sample in the ray's value: alpha_i * prod_{j<i} (1 - alpha_j).

    alpha = 1 - exp(-density * length): Max 1995; NeRF (Mildenhall et al. 2020), equation 3. A sample stands for the
    stretch of ray of its length.
    """
    optical = density * lengths
    passed = torch.cumsum(optical, -1) - optical
    return torch.exp(-passed) * (1.0 - torch.exp(-optical))


def composite(
    weights: Float[Tensor, "B R S"], channels: Float[Tensor, "B R S C"], distances: Float[Tensor, "B R S"]
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Sums over the samples of rays: channels, opacity, depth."""
    opacity = weights.sum(-1)
    with torch.autocast(weights.device.type, enabled=False):
        seen = (weights.unsqueeze(-2) @ channels).squeeze(-2)
    return seen, opacity, (weights * distances).sum(-1) / opacity.clamp(min=1e-6)


def stretch_lengths(
    distances: Float[Tensor, "B R S"], near: Float[Tensor, "B R"], far: Float[Tensor, "B R"]
) -> Float[Tensor, "B R S"]:
    """The stretch of ray that each sorted sample stands for: half way to its neighbours, near and far at the ends."""
    middles = 0.5 * (distances[..., 1:] + distances[..., :-1])
    edges = torch.cat([near.unsqueeze(-1), middles, far.unsqueeze(-1)], -1)
    return (edges[..., 1:] - edges[..., :-1]).clamp(min=0.0)


OPAQUE = 9.2  # optical depth behind which nothing is seen: a transmittance of 1e-4
LEAST = 1e-3  # weight that a ray has at least for its evenly spread samples
