"""The surface where a signed distance that is known in an octree's voxels is 0, as triangles.

    voxels of a level ──► those the surface may pass through, halved ──► ... ──► blocks of cells ──► marching cubes

Distances are asked near the surface only, and no grid is larger than a block: memory follows the surface.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from manyfields.errors import MeshError
from manyfields.families.octree.morton import HIGHEST, decode
from manyfields.families.octree.tree import OCTANTS, Octree

POINTS_AT_ONCE = 1 << 16
BLOCK = 6  # a block has 2^6 cells a side
INWARDS = 1e-3  # of a cell
STEEPEST = 1.5  # of a fitted distance, whose slope should be 1: how far its zero may be from where it is asked

Distance = Callable[[Float[Tensor, "P 3"]], Float[Tensor, " P"]]


@torch.no_grad()
def isosurface(
    distance: Distance, tree: Octree, level: int | None = None, resolution: int | None = None
) -> tuple[Float64[np.ndarray, "N 3"], Int64[np.ndarray, "F 3"]]:
    """Vertices and triangles (counterclockwise from outside) of distance = 0 within the voxels of `level` (the last).

    Cells are those voxels, or the 2^`resolution` a side that they are divided into. `distance` is asked at corners of
    cells only, and what lies outside of voxels has no surface. Marching cubes of scikit-image (Lewiner et al. 2003).

    Raises MeshError where there is no surface, or scikit-image is not installed.
    """
    level = tree.last if level is None else level
    finest = level if resolution is None else resolution
    if not level <= finest <= HIGHEST:
        raise ValueError(f"resolution {finest}: from the level {level} of the voxels to {HIGHEST}")
    codes = tree.voxels[level - tree.first].cpu()
    cells, values = _cells(distance, codes, level)
    for side in range(level, finest):
        # The corner of a cell that is nearest to a point in it is at most half a diagonal away.
        near = values[cells.corner_of[0]].abs().amin(-1) <= STEEPEST * 3**0.5 * 2.0**-side
        codes = (codes[near].unsqueeze(-1) << 3 | torch.arange(8)).flatten()
        cells, values = _cells(distance, codes, side + 1)
    parts = _surfaces(cells, values.numpy()) if len(codes) else []
    if not parts:
        raise MeshError(f"the distance field has no surface in the voxels of level {level}")
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    corners = np.concatenate([vertices for vertices, _ in parts])
    faces = np.concatenate([faces + start for (_, faces), start in zip(parts, starts, strict=False)])
    # Blocks share vertices at their faces: the same to a rounding error, and no others are so near.
    _, first, inverse = np.unique(
        np.round(corners * 4096).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = inverse.reshape(-1)[faces]
    solid = (faces != np.roll(faces, 1, axis=1)).all(-1)
    return corners[first] * (2.0 / 2**finest) - 1.0, faces[solid]


def _cells(distance: Distance, codes: Tensor, level: int) -> tuple[Octree, Tensor]:
    """Cells of one level with their corners, and the distances at these."""
    if not len(codes):
        return Octree(level, (codes,), (codes,), (codes.view(0, 1).expand(0, 8),)), torch.zeros(0)
    cells = Octree.of_voxels(codes, level, level)
    corners = decode(cells.corners[0]).float()
    for octant, step in enumerate(OCTANTS):
        # Just within a cell that has the corner: voxels are half open, so none may lie at a corner on the rim.
        at = cells.corner_of[0][:, octant]
        corners[at] = decode(cells.corners[0][at]).float() + INWARDS * (0.5 - torch.tensor(step))
    points = corners * (2.0 / 2**level) - 1.0
    return cells, torch.cat([distance(part).float().cpu() for part in points.split(POINTS_AT_ONCE)])


def _surfaces(cells: Octree, values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertices, in units of cells, and triangles of each block of cells that the surface passes through."""
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MeshError("extracting a surface needs scikit-image: pip install 'manyfields[meshes]'") from error
    corner_of = cells.corner_of[0].numpy()
    inner = values[corner_of] < 0
    crossed = inner.any(-1) & ~inner.all(-1)
    codes, corner_of = cells.voxels[0].numpy()[crossed], corner_of[crossed]
    places = decode(torch.from_numpy(codes)).numpy()
    size = 1 << min(BLOCK, cells.first)
    bounds = np.flatnonzero(np.diff(codes >> 3 * BLOCK)) + 1  # codes are sorted: blocks lie one after the other
    found = []
    for rows in np.split(np.arange(len(codes)), bounds):
        if not len(rows):
            continue
        start = places[rows[0]] // size * size
        here = places[rows] - start
        grid = np.ones((size + 1,) * 3, np.float32)
        at = (here[:, None] + np.array(OCTANTS)).reshape(-1, 3)
        grid[tuple(at.T)] = values[corner_of[rows]].reshape(-1)
        vertices, faces, _, _ = marching_cubes(grid, 0.0, gradient_direction="descent")
        # Between a corner of a cell and one that no cell has, the grid says nothing: such triangles are dropped.
        known = np.zeros((size,) * 3, bool)
        known[tuple(here.T)] = True
        middles = vertices[faces].mean(1).astype(np.int64).clip(max=size - 1)
        faces = faces[known[tuple(middles.T)]]
        used, renumbered = np.unique(faces, return_inverse=True)
        found.append((vertices[used].astype(np.float64) + start, renumbered.reshape(-1, 3).astype(np.int64)))
    return found
