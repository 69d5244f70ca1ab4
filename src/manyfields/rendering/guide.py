"""Guides: what the fields of objects hold in the cells of their boxes, for `guided_samples`."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields import Field
from manyfields.rendering.fused import densities

PLACES = ((0.5, 0.5, 0.5), (0.25, 0.7, 0.3), (0.75, 0.25, 0.8))  # where in a cell the field is asked
CELLS_AT_ONCE = 65536
FAINT = 0.01  # opacity of a cell that is taken for empty


@torch.no_grad()
def guide_of(
    field: Field, bounds: Float[Tensor, "B 2 3"], hull: UInt8[Tensor, "B G G G"] | None = None, side: int = 64
) -> Float[Tensor, "B G G G"]:
    """Densities in the cells of each object's box, indexed [x, y, z]; 0 outside the hull.

    Without a hull (of `side` cells then), cells that the field leaves nearly empty are 0.
    """
    side = side if hull is None else hull.shape[-1]
    axis = torch.arange(side, device=bounds.device, dtype=torch.float32)
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(1, -1, 3)
    size = (bounds[:, 1:] - bounds[:, :1]) / side
    parts = []
    for cells in corners.split(CELLS_AT_ONCE, 1):
        asked = [
            densities(field, bounds[:, :1] + (cells + torch.tensor(place, device=cells.device)) * size)
            for place in PLACES
        ]
        parts.append(torch.stack(asked).amax(0))
    guide = torch.cat(parts, 1).view(-1, side, side, side)
    if hull is not None:
        # Inside the hull nothing is 0: what a field leaves empty today may hold something after the next step.
        return guide.clamp(min=1e-3) * (hull > 0)
    clear = guide * size.amax(-1).view(-1, 1, 1, 1) < FAINT
    return guide.masked_fill(clear, 0.0)
