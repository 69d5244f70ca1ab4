"""What the fitter knows of where each object is: a guide for samples that follows the densities as they are learned.

It starts at the visual hull, where everything may be filled, and is carried from phase to phase. Every few steps a part
of the cells is asked anew; a cell falls to half of what it was at most, so that a surface is not lost because a sample
passed beside it.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields.field import ByObject
from manyfields.fitting.data import FittingObject
from manyfields.rendering import densities

START = 3.0  # density of the hull's cells before anything is learned: rays see some way into it
FORGET = 0.5
STEPS_BETWEEN = 16
PARTS = 4  # a refresh asks every fourth cell


class Guides:
    """Guides (N, G, G, G) of the objects of a fit."""

    def __init__(self, objects: list[FittingObject], side: int, device: torch.device) -> None:
        full = torch.ones(side, side, side, dtype=torch.uint8)
        self.hulls = torch.stack([full if item.hull is None else item.hull for item in objects]).to(device)
        self.values: Float[Tensor, "N G G G"] = START * self.hulls.float()
        """Densities; 0 outside the hull."""
        self._cells = [hull.flatten().nonzero().squeeze(1) for hull in self.hulls]

    def replace(self, row: int, hull: UInt8[Tensor, "G G G"], values: Float[Tensor, "G G G"]) -> None:
        """Another hull for an object, in another box perhaps, with what is known of its cells."""
        self.hulls[row] = hull
        self.values[row] = values
        self._cells[row] = hull.flatten().nonzero().squeeze(1)

    @torch.no_grad()
    def refresh(
        self,
        field: ByObject,
        bounds: Float[Tensor, "B 2 3"],
        rows: dict[int, int],
        generator: torch.Generator,
    ) -> None:
        """Ask `field` at random places of a part of the cells. `rows`: which guide belongs to which of its objects."""
        side = self.values.shape[-1]
        part = int(torch.randint(PARTS, (1,), generator=generator))
        for number, row in rows.items():
            cells = self._cells[row][part::PARTS]
            corners = torch.stack([cells // side**2, cells // side % side, cells % side], -1)
            places = torch.rand(corners.shape, generator=generator).to(corners.device)
            low, high = bounds[number]
            density = densities(field[number], (low + (corners + places) * ((high - low) / side))[None])[0]
            flat = self.values[row].view(-1)
            flat[cells] = torch.maximum(density, FORGET * flat[cells]).clamp(min=1e-3)
