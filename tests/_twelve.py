"""Twelve objects of tiny fused planes with hulls."""

import torch

from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Codes
from manyfields.shared_part import SharedPart

HULL = 16


def shared() -> SharedPart:
    """Fields whose density is high everywhere: what there is of an object is its hull."""
    config = FusedPlanesConfig(
        micro_features=2,
        macro_features=4,
        base_planes=2,
        resolution=8,
        hidden=8,
        channels=3,
        space="rgb",
        span="box",
        hull=HULL,
    )
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        family.output.bias[0] = 5.0
    return SharedPart(family, None).requires_grad_(False)


def codes(shared: SharedPart) -> Codes:
    """Twelve objects, blocks of several lengths."""
    made = shared.family.new_codes(12, torch.Generator().manual_seed(1))
    hull = torch.zeros(12, HULL, HULL, HULL, dtype=torch.uint8)
    for row in range(12):
        hull[row, 3:13, 4 : 6 + row // 2, 2:14] = 1
    return Codes({**made.tensors, "hull": hull})


def boxes() -> torch.Tensor:
    half = 0.3 + 0.5 * torch.rand(12, 1, 3, generator=torch.Generator().manual_seed(2))
    return torch.cat([-half, half], 1)
