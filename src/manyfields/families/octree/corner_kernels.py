"""Compiled kernels of `octree_features`: each point walks down the octree and reads, or adds to, corners on its way.

Rows of a table are `starts[level] + corner`.
"""

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel

POINTS_OF_A_JOB = 1024
NOWHERE = -1


@njit(inline="always")
def _spread(value):
    """The bits of a number below 2^21, two zeros between all of them (see `morton.encode`)."""
    bits = np.int64(value)
    bits = (bits | (bits << 32)) & 0x1F00000000FFFF
    bits = (bits | (bits << 16)) & 0x1F0000FF0000FF
    bits = (bits | (bits << 8)) & 0x100F00F00F00F00F
    bits = (bits | (bits << 4)) & 0x10C30C30C30C30C3
    return (bits | (bits << 2)) & 0x1249249249249249


@njit(inline="always")
def _enter(point, first, roots):
    """The voxel of the first level that holds a point."""
    for axis in range(3):
        if not abs(point[axis]) <= np.float32(1):
            return NOWHERE
    side = 1 << first
    code = np.int64(0)
    for axis in range(3):
        cell = min(int((point[axis] + np.float32(1)) * np.float32(0.5 * side)), side - 1)
        code |= _spread(cell) << axis
    low, high = 0, len(roots)
    while low < high:
        middle = (low + high) >> 1
        if roots[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < len(roots) and roots[low] == code else NOWHERE


@njit(inline="always")
def _shares(point, level, shares):
    """Weights of the corners of the voxel of `level` round a point; returns which octant of its parent it is."""
    side = 1 << level
    x = (point[0] + np.float32(1)) * np.float32(0.5 * side)
    y = (point[1] + np.float32(1)) * np.float32(0.5 * side)
    z = (point[2] + np.float32(1)) * np.float32(0.5 * side)
    i, j, k = min(int(x), side - 1), min(int(y), side - 1), min(int(z), side - 1)
    right = (np.float32(x - i), np.float32(y - j), np.float32(z - k))
    for corner in range(8):
        share = right[0] if corner & 1 else np.float32(1) - right[0]
        share *= right[1] if corner & 2 else np.float32(1) - right[1]
        share *= right[2] if corner & 4 else np.float32(1) - right[2]
        shares[corner] = share
    return (i & 1) | (j & 1) << 1 | (k & 1) << 2


@njit(inline="always")
def _octant(point, level):
    """Which child of its parent the voxel of `level` round a point is."""
    side = 1 << level
    octant = 0
    for axis in range(3):
        octant |= (min(int((point[axis] + np.float32(1)) * np.float32(0.5 * side)), side - 1) & 1) << axis
    return octant


@kernel(fastmath=True, parallel=True, error_model="numpy")
def gather(points, first, roots, children, corner_of, starts, table, stride, features, inside):
    """`features` (N, F or L * F, zeros) of `points` (N, 3), at `stride` (0: summed) numbers a level."""
    count, size = len(points), table.shape[1]
    for job in prange((count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB):
        shares = np.empty(8, np.float32)
        for index in range(job * POINTS_OF_A_JOB, min(count, (job + 1) * POINTS_OF_A_JOB)):
            point = points[index]
            voxel = _enter(point, first, roots)
            inside[index] = voxel != NOWHERE
            for step in range(len(starts)):
                octant = _shares(point, first + step, shares)
                if step:
                    voxel = children[voxel, octant]
                if voxel == NOWHERE:
                    break
                found, start = corner_of[voxel], starts[step]
                into = features[index, step * stride : step * stride + size]
                a0, b0 = table[start + found[0]], table[start + found[1]]
                c0, d0 = table[start + found[2]], table[start + found[3]]
                e0, f0 = table[start + found[4]], table[start + found[5]]
                g0, h0 = table[start + found[6]], table[start + found[7]]
                a, b, c, d = shares[0], shares[1], shares[2], shares[3]
                e, f, g, h = shares[4], shares[5], shares[6], shares[7]
                for n in range(size):
                    into[n] += (a * a0[n] + b * b0[n] + c * c0[n] + d * d0[n]) + (
                        e * e0[n] + f * f0[n] + g * g0[n] + h * h0[n]
                    )


@kernel(fastmath=True, parallel=True, error_model="numpy")
def scatter(points, first, roots, children, corner_of, starts, gradient, stride, table):
    """Add to `table` (M, F) the gradients (N, F or L * F) of what `gather` gave. Levels have no row in common."""
    size = table.shape[1]
    for job in prange(len(starts)):
        shares = np.empty(8, np.float32)
        start = starts[job]
        for index in range(len(points)):
            point = points[index]
            voxel = _enter(point, first, roots)
            for step in range(job):
                if voxel != NOWHERE:
                    voxel = children[voxel, _octant(point, first + step + 1)]
            if voxel == NOWHERE:
                continue
            _shares(point, first + job, shares)
            values = gradient[index, job * stride : job * stride + size]
            for corner in range(8):
                into = table[start + corner_of[voxel, corner]]
                share = shares[corner]
                for n in range(size):
                    into[n] += share * values[n]
