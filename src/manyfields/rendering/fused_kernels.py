"""`plain_march` compiled by numba for CPUs: one walk along each ray, nothing of a sample is ever written to memory."""

import numpy as np
from numba import njit, prange

from manyfields.rendering.fused_steps import (
    LOWER,
    ONE,
    OPAQUE,
    TWO,
    WIDER,
    ZERO,
    enter,
    exponential,
    find_corners,
    find_waves,
    gather,
    hidden_units,
    log1p,
    output,
    output_along,
)

RAYS_OF_A_JOB = 64
POINTS_OF_A_JOB = 512
LEAST_WEIGHT = np.float32(1e-7)


@njit(fastmath=True, parallel=True, cache=True, nogil=True, error_model="numpy")
def march(
    texels, side, rows, bounds, hidden_weight, hidden_bias, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, distances, lengths, channels, opacity, depth,
):  # fmt: skip
    """Render rays; the last three arrays (zeros) are written. A ray ends where it is opaque.

    Flat: texels (N, 3 side side, F), of which `rows` (B) says whose they are; hidden_weight (F, H), hidden_bias (H),
    output_weight (1 + C + D C, H). `rgb`: whether channels go through a sigmoid; D `harmonics`; the others as in
    `plain_march`.
    """
    objects, rays, samples = distances.shape
    width, count = len(hidden_bias), channels.shape[2]
    size = len(hidden_weight) // width
    jobs = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * RAYS_OF_A_JOB
        table = rows[row] * 3 * side * side * size
        features, hidden = np.zeros(size, np.float32), np.zeros(width, np.float32)
        first, shares = np.zeros(3, np.int64), np.zeros(12, np.float32)
        start, step, waves = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(1 + harmonics, np.float32)
        seen_weight, seen_bias = np.zeros((1 + count) * width, np.float32), np.zeros(1 + count, np.float32)
        for ray in range(begin, min(rays, begin + RAYS_OF_A_JOB)):
            entered = False
            passed, filled, reached = ONE, ZERO, ZERO
            for sample in range(samples):
                length = lengths[row, ray, sample]
                if length <= ZERO:
                    continue
                if not entered:
                    entered = True
                    enter(origins, directions, ray, bounds, row, start, step)
                    find_waves(directions, row, ray, harmonics, waves)
                    output_along(waves, harmonics, output_weight, output_bias, count, width, seen_weight, seen_bias)
                distance = distances[row, ray, sample]
                x, y, z = start[0] + distance * step[0], start[1] + distance * step[1], start[2] + distance * step[2]
                find_corners(x, y, z, side, 0, first, shares)
                gather(texels, table, size, side, 0, first, shares, features)
                hidden_units(features, hidden_weight, hidden_bias, size, width, 0, hidden)
                value = output(hidden, 0, seen_weight, 0, width) + seen_bias[0] - ONE
                density = gain * (max(value, ZERO) + log1p(exponential(-abs(value))))
                weight = passed * (ONE - exponential(-density * length))
                passed -= weight
                if weight > LEAST_WEIGHT:
                    for channel in range(count):
                        value = output(hidden, 0, seen_weight, 1 + channel, width) + seen_bias[1 + channel]
                        if rgb:
                            value = WIDER / (ONE + exponential(-value)) - LOWER
                        channels[row, ray, channel] += weight * value
                filled += weight
                reached += weight * distance
                if passed < OPAQUE:
                    break
            opacity[row, ray] = filled
            depth[row, ray] = reached / max(filled, np.float32(1e-6))


@njit(fastmath=True, parallel=True, cache=True, nogil=True, error_model="numpy")
def densities(
    texels, side, rows, bounds, hidden_weight, hidden_bias, output_weight, output_bias, gain, points, found
):  # fmt: skip
    """Write the densities (B, N) at points (B, N, 3) to `found`; the others as in `march`."""
    objects, count, _ = points.shape
    width = len(hidden_bias)
    size = len(hidden_weight) // width
    jobs = (count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * POINTS_OF_A_JOB
        table = rows[row] * 3 * side * side * size
        features, hidden = np.zeros(size, np.float32), np.zeros(width, np.float32)
        first, shares = np.zeros(3, np.int64), np.zeros(12, np.float32)
        scale, low = np.zeros(3, np.float32), np.zeros(3, np.float32)
        for axis in range(3):
            low[axis] = bounds[row, 0, axis]
            scale[axis] = TWO / (bounds[row, 1, axis] - bounds[row, 0, axis])
        for index in range(begin, min(count, begin + POINTS_OF_A_JOB)):
            x = (points[row, index, 0] - low[0]) * scale[0] - ONE
            y = (points[row, index, 1] - low[1]) * scale[1] - ONE
            z = (points[row, index, 2] - low[2]) * scale[2] - ONE
            find_corners(x, y, z, side, 0, first, shares)
            gather(texels, table, size, side, 0, first, shares, features)
            hidden_units(features, hidden_weight, hidden_bias, size, width, 0, hidden)
            value = output(hidden, 0, output_weight, 0, width) + output_bias[0] - ONE
            found[row, index] = gain * (max(value, ZERO) + log1p(exponential(-abs(value))))
