"""Which axes planes and vectors lie along, and how many texels a box gets along each."""

import math

from jaxtyping import Float
from torch import Tensor

# Planes XY, XZ, YZ: the axis along a plane's columns, and the one along its rows.
COLUMN_AXES = (0, 0, 1)
ROW_AXES = (1, 2, 2)
VECTOR_AXES = (2, 1, 0)
"""The axis that each of the planes XY, XZ, YZ lacks."""
Resolution = tuple[int, int, int]
"""Texels along x, y and z."""


def resolution_of(box: Float[Tensor, "2 3"], side: int) -> Resolution:
    """Texels along each axis of a box, about `side`^3 in all and equally far apart.

    >>> import torch
    >>> resolution_of(torch.tensor([[-1.0, -1, -1], [1, 1, 0]]), 32)
    (40, 40, 20)
    """
    size = (box[1] - box[0]).double().tolist()
    texel = (math.prod(size) / side**3) ** (1 / 3)
    x, y, z = (max(2, round(length / texel)) for length in size)
    return x, y, z
