"""Morton codes: three whole numbers with their bits interleaved, x lowest, then y, then z.

    code = ... z1 y1 x1 z0 y0 x0

Sorted codes walk a grid along a Z-shaped curve, and a cell's parent is its code without the last three bits (Morton
1966). Everything here works on int64, on any device.
"""

import torch
from jaxtyping import Int
from torch import Tensor

HIGHEST = 20  # level whose lattice points, 2^20 included, still fit the 63 bits of a code

# Each step moves the upper half of a group of bits away from its lower half, until two zeros lie between all of them.
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def encode(cells: Int[Tensor, "*batch 3"]) -> Int[Tensor, "*batch"]:
    """Codes (int64) of cells [x, y, z] from 0 to 2^21 - 1."""
    bits = cells.long()
    for shift, mask in _SPREAD:
        bits = (bits | (bits << shift)) & mask
    return bits[..., 0] | (bits[..., 1] << 1) | (bits[..., 2] << 2)


def decode(codes: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch 3"]:
    """Cells [x, y, z] (int64) of codes; the inverse of `encode`."""
    bits = torch.stack([codes, codes >> 1, codes >> 2], -1) & _SPREAD[-1][1]
    for (shift, _), (_, mask) in zip(_SPREAD[::-1], (*_SPREAD[-2::-1], (0, 0x1FFFFF)), strict=True):
        bits = (bits | (bits >> shift)) & mask
    return bits
