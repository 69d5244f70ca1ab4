"""Which lines of a table of features points in a sparse octree read, for the compiled kernels.

Octrees come as three flat arrays of int32. `grid` (B, G, G, G): number of the voxel of the coarsest level in each cell
of an object's cube, -1 where there is none. `children` (n, 8) and `corners` (n, 8): the numbers of a voxel's children,
-1 where one is missing, and the lines of its corners; x runs fastest, then y, then z. Numbers of voxels go through all
levels and objects; children of voxels of the finest level are not asked for.
"""

import numpy as np
from numba import njit

from manyfields.rendering.exponentials import HALF, ONE, TWO, ZERO

CORNERS = 8  # of a voxel


@njit(fastmath=True, forceinline=True, error_model="numpy")
def find_corner_lines(x, y, z, grid, children, corners, cells, side, levels, at, stride, lines, shares):
    """Write lines (8 a level; int32) and trilinear weights of a point in [-1, 1]^3, as column `at`; how many.

    `cells`: where the object's grid begins; `levels` are looked at. Outside the coarsest voxels there are none, and
    outside those of a finer level none of that level.
    """
    scale, last = np.float32(side) * HALF, side - 1
    x, y, z = (x + ONE) * scale, (y + ONE) * scale, (z + ONE) * scale
    if min(x, y, z) < ZERO or max(x, y, z) > np.float32(side):
        return 0
    column, line, level = min(int(x), last), min(int(y), last), min(int(z), last)
    right, back, up = x - np.float32(column), y - np.float32(line), z - np.float32(level)
    voxel, count = np.int64(grid[cells + (column * side + line) * side + level]), 0
    while voxel >= 0:
        left, front, below = ONE - right, ONE - back, ONE - up
        i, k = count * stride + at, voxel * CORNERS
        shares[i], shares[i + stride] = left * front * below, right * front * below
        shares[i + 2 * stride], shares[i + 3 * stride] = left * back * below, right * back * below
        shares[i + 4 * stride], shares[i + 5 * stride] = left * front * up, right * front * up
        shares[i + 6 * stride], shares[i + 7 * stride] = left * back * up, right * back * up
        for corner in range(CORNERS):
            lines[i + corner * stride] = corners[k + corner]
        count += CORNERS
        if count == CORNERS * levels:
            break
        child = 0
        right, back, up = right * TWO, back * TWO, up * TWO
        if right >= ONE:
            right, child = right - ONE, child + 1
        if back >= ONE:
            back, child = back - ONE, child + 2
        if up >= ONE:
            up, child = up - ONE, child + 4
        voxel = np.int64(children[k + child])
    return count
