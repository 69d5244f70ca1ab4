"""Samples where a guide says that something is: a grid of densities over each object's box, 0 where nothing can be.

    ray through the box -> `bins` equal bins, each looks up its cell -> weights of a coarse compositing
    -> `count` samples at equal steps of the cumulated weights, each standing for its stretch of filled bins

The network is asked only at those samples. A share of them is spread evenly over the filled bins, so that a guide that
is wrong somewhere is found out. As NeRF's importance samples (Mildenhall et al. 2020, section 5.2), with an occupancy
grid (Instant-NGP, Mueller et al. 2022, section 5.4) in the place of the coarse network.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.fields.compositing import LEAST, OPAQUE
from manyfields.rendering.clipping import clip_to_box


def guided_samples(
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    bounds: Float[Tensor, "B 2 3"],
    guide: Float[Tensor, "B G G G"],
    offsets: Float[Tensor, "B R S"],
    *,
    bins: int,
    spread: float,
) -> tuple[Float[Tensor, "B R S"], Float[Tensor, "B R S"], Bool[Tensor, "B R"]]:
    """Distances of S samples along each ray, the lengths of filled ray they stand for, and which rays meet anything.

    `offsets` in [0, 1) place each sample in its share of the weights; `spread` is the share of even samples. The guide
    is indexed [x, y, z] in cells of the box. Rays that meet nothing have lengths of 0.
    """
    if compiled_for(origins, directions, bounds, guide, offsets):
        from manyfields.rendering.guided_kernel import place_samples

        distances, lengths = torch.zeros_like(offsets), torch.zeros_like(offsets)
        hits = torch.zeros(origins.shape[:2], dtype=torch.bool)
        inputs = [tensor.detach().contiguous().numpy() for tensor in (origins, directions, bounds, guide, offsets)]
        written = [tensor.numpy() for tensor in (distances, lengths, hits)]
        place_samples(*inputs, bins, spread, *written)  # type: ignore[call-arg]  # numba's stubs count wrongly
        return distances, lengths, hits
    from manyfields.rendering.fused_triton import available

    if available(origins, directions, bounds, guide, offsets):
        from manyfields.rendering import guided_triton

        return guided_triton.place_samples(origins, directions, bounds, guide, offsets, bins, spread)
    return _plain(origins, directions, bounds, guide, offsets, bins, spread)


@torch.no_grad()
def _plain(
    origins: Tensor, directions: Tensor, bounds: Tensor, guide: Tensor, offsets: Tensor, bins: int, spread: float
) -> tuple[Tensor, Tensor, Tensor]:
    near, far = clip_to_box(origins, directions, bounds)
    width = ((far - near).clamp(min=0.0) / bins).unsqueeze(-1)
    middles = near.unsqueeze(-1) + width * (torch.arange(bins, device=near.device) + 0.5)
    density = _looked_up(guide, origins, directions, middles, bounds)
    filled = (density > 0) & (width > 0)
    count = filled.sum(-1, keepdim=True)

    optical = density * width
    passed = torch.cumsum(optical, -1) - optical
    weights = torch.where(passed < OPAQUE, torch.exp(-passed) * (1.0 - torch.exp(-optical)), torch.zeros_like(optical))
    even = spread * (weights.sum(-1, keepdim=True) + LEAST) / count.clamp(min=1)
    # A surface may lie in the bin next to the one whose cell has it: the larger of both neighbours counts.
    widened = functional.max_pool1d(weights.flatten(0, 1).unsqueeze(1), 3, 1, 1).view_as(weights)
    cumulated = functional.pad(torch.cumsum((widened + even) * filled, -1), (1, 0))
    reached = functional.pad(torch.cumsum(width * filled, -1), (1, 0))

    samples = offsets.shape[-1]
    parts = torch.arange(samples + 1, device=near.device, dtype=near.dtype)
    ends = parts.expand(*near.shape, -1) / samples * cumulated[..., -1:]
    inner = (parts[:-1] + offsets) / samples * cumulated[..., -1:]
    bin_of, share = _invert(cumulated, torch.cat([ends, inner], -1))
    lengths = reached.gather(-1, bin_of) + share * width * filled.gather(-1, bin_of)
    lengths = (lengths[..., 1 : samples + 1] - lengths[..., :samples]).clamp(min=0.0)
    distances = near.unsqueeze(-1) + width * (bin_of[..., samples + 1 :] + share[..., samples + 1 :])
    hits = count.squeeze(-1) > 0
    return distances * hits.unsqueeze(-1), lengths * hits.unsqueeze(-1), hits


def _looked_up(guide: Tensor, origins: Tensor, directions: Tensor, distances: Tensor, bounds: Tensor) -> Tensor:
    """Density (B, R, S) of the cells that points along rays lie in."""
    side = guide.shape[-1]
    scale = side / (bounds[:, 1] - bounds[:, 0])
    start = ((origins - bounds[:, None, 0]) * scale[:, None]).unsqueeze(2)
    cells = start + distances.unsqueeze(-1) * (directions * scale[:, None]).unsqueeze(2)
    cells = cells.long().clamp_(0, side - 1)
    flat = (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]
    return guide.flatten(1).gather(1, flat.flatten(1)).view(distances.shape)


def _invert(cumulated: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Bin in which each value of a cumulated sum (B, R, bins + 1) is reached, and the share of the bin before it."""
    above = torch.searchsorted(cumulated, values.contiguous(), right=False).clamp(1, cumulated.shape[-1] - 1)
    low, high = cumulated.gather(-1, above - 1), cumulated.gather(-1, above)
    return above - 1, ((values - low) / (high - low).clamp(min=1e-20)).clamp(0.0, 1.0)
