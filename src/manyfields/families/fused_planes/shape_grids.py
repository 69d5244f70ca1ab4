"""Shapes as numbers that may be averaged: signed distances to the solid of an object, in the cells of its box.

    densities in the hull ──► solid: what air from outside does not reach ──► signed distance, on half as many cells

A mean of two hulls is no hull, and of two signed distances it is the distance of a shape in between. The solid is
tighter than the hull: a mixed field holds anything in cells that were empty in either object, so they are cut away.
"""

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

FAINT = 0.02  # optical depth of a cell that is taken for air
REACH = 1 / 8  # of a side: distances are cut off there
LOOSE = 0.7  # cells by which a hull is wider than the solid
SMALLEST = 16  # cells a side from which on they are halved


def solid_of(guide: Float[Tensor, "G G G"], bounds: Float[Tensor, "2 3"]) -> UInt8[Tensor, "G G G"]:
    """1 in cells that air from outside the box does not reach, by densities in the cells [x, y, z] of one object.

    What a surface encloses belongs to it. Needs scipy.
    """
    from scipy.ndimage import label

    cell = (bounds[1] - bounds[0]).mean() / guide.shape[-1]
    air = np.pad((guide * cell < FAINT).numpy(), 1, constant_values=True)
    parts, _ = label(air)
    outside = parts == parts[0, 0, 0]
    return torch.from_numpy(~outside[1:-1, 1:-1, 1:-1]).to(torch.uint8)


def distances_of(solid: UInt8[Tensor, "G G G"]) -> Float[Tensor, "S S S"]:
    """Signed distances in cells, above 0 inside, cut off at `REACH`; S = `grid_side(G)`. Needs scipy."""
    from scipy.ndimage import distance_transform_edt

    side = solid.shape[-1]
    inside = solid.numpy() > 0
    reach = REACH * side
    # Beyond the box is air.
    inward = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1]
    outward = distance_transform_edt(~inside) if inside.any() else np.full(inside.shape, np.inf)
    # Centres of cells next to the surface are half a cell from it.
    signed = np.where(inside, inward - 0.5, 0.5 - outward).clip(-reach, reach)
    values = torch.from_numpy(signed.astype(np.float32))
    return functional.avg_pool3d(values[None, None], side // grid_side(side))[0, 0]


def hulls_of(distances: Float[Tensor, "B S S S"], side: int) -> UInt8[Tensor, "B G G G"]:
    """Hulls of G = `side` cells a side, wider than the solids by `LOOSE` cells.

    Where distances say that there is nothing at all, the cell that is nearest to being something is kept: an object
    has a hull.
    """
    fine = functional.interpolate(distances.unsqueeze(1), size=(side,) * 3, mode="trilinear", align_corners=False)
    level = fine.flatten(1).amax(1).clamp(max=-LOOSE).view(-1, 1, 1, 1)
    return (fine.squeeze(1) >= level).to(torch.uint8)


def grid_side(side: int) -> int:
    """Cells a side of the distances of a hull of `side` cells: half as many, as they are smooth."""
    return side // 2 if side % 2 == 0 and side >= SMALLEST else side
