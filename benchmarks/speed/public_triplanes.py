"""A Tri-Plane renderer as public code writes it, in PyTorch alone: what ours is compared with.

Three calls of `grid_sample` on planes with channels first (EG3D's form), a two-layer decoder, compositing by a
cumulated product. The same formulas and parameters as ours, so that both give the same picture.
"""

import torch
import torch.nn.functional as functional
from torch import Tensor

from manyfields.families.fused_planes.field import FusedPlanes


def render_error(
    family: FusedPlanes,
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    distances: Tensor,
    lengths: Tensor,
    colors: Tensor,
    background: Tensor,
) -> Tensor:
    """Sum of squared errors of rays (R) through planes (3, F, K, K) that span the cube [-1, 1]^3."""
    points = origins[:, None] + distances[..., None] * directions[:, None]
    features = sum(
        functional.grid_sample(plane[None], points[..., axes][None], padding_mode="border", align_corners=True)
        for plane, axes in zip(planes, ((0, 1), (0, 2), (1, 2)), strict=True)
    )
    assert isinstance(features, Tensor)
    values = family.output(torch.relu(family.hidden(features[0].permute(1, 2, 0))))
    density = family.config.density_gain * functional.softplus(values[..., 0] - 1.0)
    opacity = 1.0 - torch.exp(-density * lengths)
    passed = torch.cumprod(torch.cat([torch.ones_like(opacity[:, :1]), 1.0 - opacity], -1), -1)
    seen = ((opacity * passed[:, :-1])[..., None] * values[..., 1:]).sum(1) + passed[:, -1:] * background
    return (seen - colors).square().sum()
