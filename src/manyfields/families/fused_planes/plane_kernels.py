"""The gather of `plane_features` and its transpose, compiled by numba for CPUs: the twin of the sums over bags there.

Points are read once and no list of rows is made or sorted, which is what the plain form spends most of its time on.
The transposed sum runs over (object, plane) in parallel and over points in order, so its result does not depend on the
number of threads.
"""

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel

POINTS_OF_A_JOB = 512


@njit(inline="always")
def _cell(value, size):
    """Left sample and share of the right one, of a coordinate in [-1, 1] on `size` samples."""
    position = min(max((value + np.float32(1)) * np.float32(0.5), np.float32(0)), np.float32(1)) * np.float32(size - 1)
    left = min(int(position), size - 2)
    return left, np.float32(position - left)


@njit(inline="always")
def _weights(x_share, y_share):
    """Bilinear weights of the corners (left, top), (right, top), (left, bottom), (right, bottom)."""
    both = x_share * y_share
    return np.float32(1) - x_share - y_share + both, x_share - both, y_share - both, both


@kernel(fastmath=True, parallel=True)
def gather(table, points, features):
    """`features` (B, N, C) from `table` (B, 3, H, W, C) at `points` (B, N, 3), all float32 and contiguous."""
    objects, count, channels = features.shape
    height, width = table.shape[2], table.shape[3]
    jobs = (count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB
    for job in prange(objects * jobs):
        row = job // jobs
        start = (job % jobs) * POINTS_OF_A_JOB
        xy, xz, yz = table[row, 0], table[row, 1], table[row, 2]
        for index in range(start, min(count, start + POINTS_OF_A_JOB)):
            x, x_share = _cell(points[row, index, 0], width)
            y, y_share = _cell(points[row, index, 1], height)
            z, z_share = _cell(points[row, index, 2], height)
            across, across_share = _cell(points[row, index, 1], width)  # y runs along the columns of plane YZ
            a, b, c, d = _weights(x_share, y_share)
            e, f, g, h = _weights(x_share, z_share)
            i, j, k, m = _weights(across_share, z_share)
            a0, b0, c0, d0 = xy[y, x], xy[y, x + 1], xy[y + 1, x], xy[y + 1, x + 1]
            e0, f0, g0, h0 = xz[z, x], xz[z, x + 1], xz[z + 1, x], xz[z + 1, x + 1]
            i0, j0, k0, m0 = yz[z, across], yz[z, across + 1], yz[z + 1, across], yz[z + 1, across + 1]
            into = features[row, index]
            for n in range(channels):  # one pass over all twelve rows: three passes take half as long again
                into[n] = (
                    (a * a0[n] + b * b0[n] + c * c0[n] + d * d0[n])
                    + (e * e0[n] + f * f0[n] + g * g0[n] + h * h0[n])
                    + (i * i0[n] + j * j0[n] + k * k0[n] + m * m0[n])
                )


@kernel(fastmath=True, parallel=True)
def scatter(gradient, points, table):
    """Add to `table` (B, 3, H, W, C) the gradients (B, N, C) of features gathered at `points`."""
    objects, count, channels = gradient.shape
    height, width = table.shape[2], table.shape[3]
    for job in prange(objects * 3):
        row, plane = job // 3, job % 3
        for index in range(count):
            x, x_share = _cell(points[row, index, 1 if plane == 2 else 0], width)
            y, y_share = _cell(points[row, index, 1 if plane == 0 else 2], height)
            first, second = table[row, plane, y, x], table[row, plane, y, x + 1]
            third, fourth = table[row, plane, y + 1, x], table[row, plane, y + 1, x + 1]
            a, b, c, d = _weights(x_share, y_share)
            values = gradient[row, index]
            for channel in range(channels):
                value = values[channel]
                first[channel] += a * value
                second[channel] += b * value
                third[channel] += c * value
                fourth[channel] += d * value
