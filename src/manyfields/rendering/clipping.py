"""Where a ray enters and leaves what an object fills: its box, or the unit sphere."""

import torch
from jaxtyping import Float
from torch import Tensor


def clip_to_box(
    origins: Float[Tensor, "B R 3"], directions: Float[Tensor, "B R 3"], bounds: Float[Tensor, "B 2 3"]
) -> tuple[Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Distances along each ray at which it enters and leaves the object's box (lowest, highest corner).

    Where a ray misses the box, far <= near. Rays start at their origin: nothing behind it counts. The slab method.
    """
    # A direction of exactly 0 on an axis: the slab is crossed at +-infinity, or nowhere, never at NaN.
    safe = torch.where(directions.abs() < 1e-12, torch.full_like(directions, 1e-12), directions)
    first = (bounds[:, None, 0] - origins) / safe
    second = (bounds[:, None, 1] - origins) / safe
    near = torch.minimum(first, second).amax(-1).clamp(min=0.0)
    far = torch.maximum(first, second).amin(-1)
    return near, far


def clip_to_sphere(
    origins: Float[Tensor, "B R 3"], directions: Float[Tensor, "B R 3"]
) -> tuple[Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Distances at which unit-length rays enter and leave the unit sphere; far <= near where they miss it."""
    middle = -(origins * directions).sum(-1)
    nearest = origins + middle.unsqueeze(-1) * directions
    half = (1.0 - nearest.square().sum(-1)).clamp(min=0.0).sqrt()
    return (middle - half).clamp(min=0.0), middle + half
