"""Occupancy: in which cells of an object's box something may be, for rays that walk through them at rest.

    guide (densities of cells) -> dense enough, or beside such a cell -> how far the next one is

It says where a field is worth asking, never what is hidden: an opacity guessed from a few places of a cell hides what
lies behind a cell that a ray only grazes. As the occupancy grid of Instant-NGP (Mueller et al. 2022, section 5.4).
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

FAINT = 0.001  # optical depth across a cell up to which it is taken for empty, unless it is beside a denser one
DOUBLINGS = 4  # rays leap over at most 2^(this - 1) cells at once


@dataclass(frozen=True)
class Occupancy:
    """Which cells of B boxes may hold something, indexed [x, y, z].

    `leaps`: 0 in these; elsewhere how many cells away the nearest of them is, along the axis on which it is furthest
    (Chebyshev distance), rounded down to 1, 2, 3, 5 or 9.

    >>> guide = torch.zeros(1, 8, 8, 8)
    >>> guide[0, 4, 4, 4] = 100.0
    >>> bounds = torch.tensor([[[-1.0, -1, -1], [1, 1, 1]]])
    >>> Occupancy.of(guide.clamp(min=1e-6), bounds).leaps[0, :, 4, 4]
    tensor([3, 2, 1, 0, 0, 0, 1, 2], dtype=torch.uint8)
    """

    leaps: UInt8[Tensor, "B G G G"]

    @classmethod
    def of(cls, guide: Float[Tensor, "B G G G"], bounds: Float[Tensor, "B 2 3"]) -> Self:
        """From densities in the cells of each object's box, 0 where nothing can be.

        Cells next to a dense one count as well, for a guide asks few places of each: but not where nothing can be.
        """
        longest = (bounds[:, 1] - bounds[:, 0]).amax(-1) / guide.shape[-1]
        dense = (guide * longest.view(-1, 1, 1, 1) > FAINT).float()
        filled = _widened(dense, 1) * (guide > 0)
        leaps = torch.zeros_like(filled, dtype=torch.uint8)
        near, reach = filled, 0
        leaps[filled == 0] = 1
        for doubling in range(DOUBLINGS):
            near, reach = _widened(near, max(1, reach)), max(1, 2 * reach)
            leaps[near == 0] = 2**doubling + 1
        return cls(leaps)

    def __getitem__(self, row: int) -> Self:
        """That of one object (B = 1)."""
        return type(self)(self.leaps[row : row + 1])

    def to(self, device: torch.device | str) -> Self:
        return type(self)(self.leaps.to(device))


def _widened(filled: Float[Tensor, "B G G G"], cells: int) -> Float[Tensor, "B G G G"]:
    """Filled as well where something is up to `cells` cells away along any axis: axis by axis, which is the cube."""
    for axis in range(3):
        window, padding = [1, 1, 1], [0, 0, 0]
        window[axis], padding[axis] = 2 * cells + 1, cells
        filled = functional.max_pool3d(filled.unsqueeze(1), window, 1, padding).squeeze(1)
    return filled
