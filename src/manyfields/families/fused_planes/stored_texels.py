"""Texels of micro planes that codecs store: those over which the hull of the object casts its shadow."""

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from manyfields.fields import Codes

MICRO = ("micro",)


def texels_of_hull(hull: UInt8[Tensor, "S S S"], side: int) -> Bool[Tensor, "3 H W"]:
    """Texels of planes XY, XZ, YZ (rows y, z, z; columns x, x, y) that points inside the hull read.

    A point in a cell reads the two samples around it along either axis; samples 0 and side - 1 are the box's faces.
    """
    cells = torch.arange(len(hull), device=hull.device)
    low = cells * (side - 1) // len(hull)
    high = -(-(cells + 1) * (side - 1) // len(hull))
    texels = torch.arange(side, device=hull.device)
    reads = ((texels >= low[:, None]) & (texels <= high[:, None])).float()
    solid = hull > 0
    shadows = torch.stack([solid.any(2).T, solid.any(1).T, solid.any(0).T]).float()
    return reads.T @ shadows @ reads > 0


def texels_that_count(codes: Codes) -> Bool[Tensor, "B 3 H W"]:
    """The texels that are stored: all of them for a family without hulls."""
    micro = codes.tensors["micro"]
    if "hull" not in codes.tensors:
        return torch.ones(micro.shape[:-1], dtype=torch.bool)
    return torch.stack([texels_of_hull(hull.cpu(), micro.shape[2]) for hull in codes.tensors["hull"]])
