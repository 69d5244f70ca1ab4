"""Where in the cells of a guide a field is asked for its density, and what the answers of a cell make.

What is solid, or smooth over a cell, is found in few places, and the densest of them counts. Shells thinner than a cell
slip through few places, and by the densest of many a cell that a shell only cuts would hide what is behind it: there
the mean of many counts.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GuidePlaces:
    """Places in a cell, each in [0, 1)^3."""

    places: Float[Tensor, "P 3"]
    mean: bool
    """Whether the mean of the densities counts, or the largest."""


FEW = GuidePlaces(torch.tensor([(0.5, 0.5, 0.5), (0.25, 0.7, 0.3), (0.75, 0.25, 0.8)]), mean=False)
MANY = GuidePlaces(
    torch.tensor([(0.5 + n * 0.8191725, 0.5 + n * 0.6710436, 0.5 + n * 0.5497005) for n in range(32)]) % 1, mean=True
)
"""Spread evenly by the generalised golden ratio of three dimensions (Roberts 2018, the R3 sequence)."""
