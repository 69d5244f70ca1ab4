"""The surface where a signed distance that is known in an octree's voxels is 0, as triangles."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from manyfields.errors import MeshError
from manyfields.fields.morton import decode
from manyfields.fields.octree import Octree

POINTS_AT_ONCE = 1 << 16


@torch.no_grad()
def isosurface(
    distance: Callable[[Float[Tensor, "P 3"]], Float[Tensor, " P"]], tree: Octree, level: int | None = None
) -> tuple[Float64[np.ndarray, "N 3"], Int64[np.ndarray, "F 3"]]:
    """Vertices and triangles (counterclockwise from outside) of distance = 0 within the voxels of `level` (the last).

    `distance` is asked at the corners of these voxels only, and what lies outside of them has no surface. Marching
    cubes of scikit-image (Lewiner et al. 2003) on a dense grid: 4 * (2^level + 1)^3 bytes, 68 MB at level 8.

    Raises MeshError where there is no surface, or scikit-image is not installed.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MeshError("extracting a surface needs scikit-image: pip install 'manyfields[meshes]'") from error
    level = tree.last if level is None else level
    side = 2**level
    corners = decode(tree.corners[level - tree.first])
    points = corners.float() * (2.0 / side) - 1.0
    values = torch.cat([distance(part).float().cpu() for part in points.split(POINTS_AT_ONCE)])
    outside = float(values.abs().max()) if len(values) else 1.0
    grid = np.full((side + 1,) * 3, max(outside, 1e-6), np.float32)
    grid[tuple(corners.cpu().numpy().T)] = values.numpy()
    if not len(values) or not bool((values < 0).any()) or not bool((grid > 0).any()):
        raise MeshError(f"the distance field has no surface in the voxels of level {level}")
    vertices, faces, _, _ = marching_cubes(grid, 0.0, gradient_direction="descent")
    # Between a corner of a voxel and one that no voxel has, the grid says nothing: such triangles are dropped.
    places = vertices[faces].mean(1) * (2.0 / side) - 1.0
    inside = tree.to("cpu").find(torch.from_numpy(places).float(), level) >= 0
    faces = faces[inside.numpy()]
    if not len(faces):
        raise MeshError(f"the distance field has no surface in the voxels of level {level}")
    used, renumbered = np.unique(faces, return_inverse=True)
    return vertices[used].astype(np.float64) * (2.0 / side) - 1.0, renumbered.reshape(-1, 3).astype(np.int64)
