"""`plain_march` compiled by numba for CPUs: one walk along each ray, nothing of a sample is ever written to memory."""

import numpy as np
from numba import njit, prange

from manyfields.rendering.exponentials import ONE, TWO, ZERO, exponential, sigmoid, softplus
from manyfields.rendering.fused_steps import (
    FOUR,
    LOWER,
    OPAQUE,
    WIDER,
    enter,
    find_corners,
    find_waves,
    keep_samples,
    output_along,
    values_of,
)
from manyfields.simd import LANES, load, store, total

RAYS_OF_A_JOB = 64
POINTS_OF_A_JOB = 512


@njit(fastmath=True, parallel=True, cache=True, nogil=True, error_model="numpy")
def march(
    texels, side, rows, bounds, hidden_weight, hidden_bias, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, distances, lengths, channels, opacity, depth,
):  # fmt: skip
    """Render rays; the last three arrays (zeros) are written. Behind what is opaque a ray ends, 16 samples at a time.

    Flat: texels (N, 3 side side, F), of which `rows` (B) says whose they are; hidden_weight (F, H), hidden_bias (H),
    output_weight (1 + C + D C, H). `rgb`: whether channels go through a sigmoid; D `harmonics`; the others as in
    `plain_march`.
    """
    objects, rays, samples = distances.shape
    width, outputs = len(hidden_bias), 1 + channels.shape[2]
    size = len(hidden_weight) // width
    jobs, steepness = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB, np.float32(gain)
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * RAYS_OF_A_JOB
        table = rows[row] * 3 * side * side * size
        kept, stretches = np.zeros(samples + LANES, np.float32), np.zeros(samples + LANES, np.float32)
        first, shares = np.zeros(3 * LANES, np.int32), np.zeros(12 * LANES, np.float32)
        features, hidden = np.zeros(FOUR * size, np.float32), np.zeros(FOUR * width, np.float32)
        values, weights = np.zeros(outputs * LANES, np.float32), np.zeros(LANES, np.float32)
        start, step, waves = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(1 + harmonics, np.float32)
        seen_weight, seen_bias = np.zeros(outputs * width, np.float32), np.zeros(outputs, np.float32)
        for ray in range(begin, min(rays, begin + RAYS_OF_A_JOB)):
            count = keep_samples(distances, lengths, row, ray, kept, stretches)
            if count == 0:
                continue
            enter(origins, directions, ray, bounds, row, start, step)
            find_waves(directions, row, ray, harmonics, waves)
            output_along(waves, harmonics, output_weight, output_bias, outputs - 1, width, seen_weight, seen_bias)
            passed, filled, reached = ONE, ZERO, ZERO
            for at in range(0, count, LANES):
                distance = load(kept, at)
                x, y, z = distance * step[0] + start[0], distance * step[1] + start[1], distance * step[2] + start[2]
                find_corners(x, y, z, side, 0, LANES, first, shares)
                values_of(
                    texels, table, size, side, hidden_weight, hidden_bias, width, seen_weight, outputs,
                    first, shares, 0, count - at, LANES, False, features, hidden, values,
                )  # fmt: skip
                raised, _ = softplus(load(values, 0) + (seen_bias[0] - ONE))
                store(weights, 0, ONE - exponential(raised * load(stretches, at) * -steepness))
                for k in range(LANES):
                    weights[k] *= passed
                    passed -= weights[k]
                weight = load(weights, 0)
                for channel in range(outputs - 1):
                    value = load(values, (1 + channel) * LANES) + seen_bias[1 + channel]
                    if rgb:
                        value = sigmoid(value) * WIDER - LOWER
                    channels[row, ray, channel] += total(weight * value)
                filled += total(weight)
                reached += total(weight * distance)
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
    jobs, steepness = (count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB, np.float32(gain)
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * POINTS_OF_A_JOB
        end = min(count, begin + POINTS_OF_A_JOB)
        table = rows[row] * 3 * side * side * size
        places, values = np.zeros(3 * LANES, np.float32), np.zeros(LANES, np.float32)
        first, shares = np.zeros(3 * LANES, np.int32), np.zeros(12 * LANES, np.float32)
        features, hidden = np.zeros(FOUR * size, np.float32), np.zeros(FOUR * width, np.float32)
        for at in range(begin, end, LANES):
            here = min(LANES, end - at)
            for axis in range(3):
                low, scale = bounds[row, 0, axis], TWO / (bounds[row, 1, axis] - bounds[row, 0, axis])
                for k in range(here):
                    places[axis * LANES + k] = (points[row, at + k, axis] - low) * scale - ONE
            x, y, z = load(places, 0), load(places, LANES), load(places, 2 * LANES)
            find_corners(x, y, z, side, 0, LANES, first, shares)
            values_of(
                texels, table, size, side, hidden_weight, hidden_bias, width, output_weight, 1,
                first, shares, 0, here, LANES, False, features, hidden, values,
            )  # fmt: skip
            raised, _ = softplus(load(values, 0) + (output_bias[0] - ONE))
            store(values, 0, raised * steepness)
            for k in range(here):
                found[row, at + k] = values[k]
