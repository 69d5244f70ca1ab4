"""Alpha masks: which cells of a scene's box hold something, by the field that has been learned so far."""

import itertools

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.fields import SceneField
from manyfields.rendering import densities

PLACES = (0.25, 0.75)  # along each axis of a cell, where the field is asked
CELLS_AT_ONCE = 32768
FAINT = 1e-3
"""Opacity of a cell that is taken for empty. TensoRF's is 1e-4 for a step of half a texel; cells are several wide."""


def cell_densities(field: SceneField, box: Float[Tensor, "2 3"], side: int) -> Float[Tensor, "G G G"]:
    """The largest density (B = 1) of eight places in each cell of a box."""
    axis = torch.arange(side, dtype=torch.float32)
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    size = (box[1] - box[0]) / side
    parts = []
    for cells in corners.split(CELLS_AT_ONCE):
        offsets = itertools.product(PLACES, repeat=3)
        asked = [densities(field, (box[0] + (cells + torch.tensor(at)) * size)[None])[0] for at in offsets]
        parts.append(torch.stack(asked).amax(0))
    return torch.cat(parts).view(side, side, side)


def mask_of(density: Float[Tensor, "G G G"], box: Float[Tensor, "2 3"]) -> UInt8[Tensor, "G G G"]:
    """Cells that are not faint, and their neighbours: a surface may lie on the face between two."""
    opacity = 1.0 - torch.exp(-density * float((box[1] - box[0]).amax()) / len(density))
    filled = (opacity > FAINT).float()
    return functional.max_pool3d(filled[None, None], 3, 1, 1)[0, 0].to(torch.uint8)


def box_of(mask: UInt8[Tensor, "G G G"], box: Float[Tensor, "2 3"]) -> Float[Tensor, "2 3"]:
    """The part of a box that the cells of a mask lie in; all of it where there are none."""
    cells = mask.nonzero()
    if not len(cells):
        return box
    ends = torch.stack([cells.amin(0), cells.amax(0) + 1]) / len(mask)
    return torch.where(ends == 1.0, box[1], box[0] + ends * (box[1] - box[0]))


def within(
    mask: UInt8[Tensor, "G G G"], box: Float[Tensor, "2 3"], part: Float[Tensor, "2 3"]
) -> UInt8[Tensor, "G G G"]:
    """The mask of a smaller box with as many cells: a cell is filled where it touches a filled one."""
    side = len(mask)
    edges = torch.arange(side + 1)[:, None] / side * (part[1] - part[0]) + part[0]
    cells = (edges - box[0]) / (box[1] - box[0]) * side
    inset = 1e-3
    low = (cells[:-1] + inset).floor().long().clamp(0, side - 1)
    high = (cells[1:] - inset).floor().long().clamp(0, side - 1)
    found = torch.zeros_like(mask)
    for x, y, z in itertools.product((low[:, 0], high[:, 0]), (low[:, 1], high[:, 1]), (low[:, 2], high[:, 2])):
        found |= mask[x][:, y][:, :, z]
    return found
