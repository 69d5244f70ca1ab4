"""`plain_march` compiled by numba for CPUs: one walk along each ray, nothing of a sample is ever written to memory."""

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel
from manyfields.rendering.exponentials import ONE, TWO, ZERO, exponential, sigmoid, softplus
from manyfields.rendering.fused_steps import (
    FOUR,
    LOWER,
    OPAQUE,
    TEXELS,
    WIDER,
    enter,
    find_texels,
    find_waves,
    keep_samples,
    output_along,
    values_of,
)
from manyfields.rendering.tree_steps import CORNERS, find_corner_lines
from manyfields.simd import LANES, load, store, total

RAYS_OF_A_JOB = 64
POINTS_OF_A_JOB = 512


@njit(fastmath=True, forceinline=True, error_model="numpy")
def see_samples(
    texels, table, side, grid, children, corners, cells, levels, size,
    hidden_weight, hidden_bias, bias_at, width, seen_weight, seen_bias, rgb,
    steepness, start, step, kept, stretches, at, count,
    lines, shares, counts, features, hidden, values, weights, passed, channels,
):  # fmt: skip
    """Add what `count` samples (up to 16, of those `kept` from `at` on) of a ray show to its `channels`.

    Returns what still passes behind them, and the sums of their weights and of weights times distances. Behind the last
    sample `stretches` are 0. `lines` to `weights` are room to work in; the others as in `march`.
    """
    outputs = 1 + len(channels)
    distance = load(kept, at)
    if levels == 0:
        x, y = distance * step[0] + start[0], distance * step[1] + start[1]
        find_texels(x, y, distance * step[2] + start[2], side, 0, LANES, lines, shares)
    for k in range(count if levels else 0):
        far = kept[at + k]
        x, y, z = start[0] + far * step[0], start[1] + far * step[1], start[2] + far * step[2]
        counts[k] = find_corner_lines(x, y, z, grid, children, corners, cells, side, levels, k, LANES, lines, shares)
        stretches[at + k] *= np.float32(counts[k] > 0)
    values_of(
        texels, table, size, hidden_weight, hidden_bias, bias_at, width, seen_weight, outputs,
        lines, shares, counts, 0, count, LANES, False, features, hidden, values,
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
        channels[channel] += total(weight * value)
    return passed, total(weight), total(weight * distance)


@kernel(fastmath=True, parallel=True, error_model="numpy")
def march(
    texels, tables, side, grid, children, corners, levels, bounds,
    hidden_weight, hidden_bias, bias_step, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, distances, lengths, channels, opacity, depth,
):  # fmt: skip
    """Render rays; the last three arrays (zeros) are written. Behind what is opaque a ray ends, 16 samples at a time.

    Flat: texels (lines, F), of which those of object b begin at line `tables` (B); hidden_weight (F, H), hidden_bias
    (H), or (B, R, H) with `bias_step` H in the place of 0; output_weight (1 + C + D C, H). `levels` of octrees (whose
    grid, children and corners `tree_steps` explains): then `side` counts cells along the grid; 0 for planes, whose
    texels it counts. `rgb`: whether channels go through a sigmoid; D `harmonics`; the others as in `plain_march`.
    """
    objects, rays, samples = distances.shape
    outputs = 1 + channels.shape[2]
    width = len(output_weight) // len(output_bias)
    size, most = len(hidden_weight) // width, max(TEXELS, CORNERS * levels)
    jobs, steepness = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB, np.float32(gain)
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * RAYS_OF_A_JOB
        table, cells = tables[row], row * side * side * side
        kept, stretches = np.zeros(samples + LANES, np.float32), np.zeros(samples + LANES, np.float32)
        lines, shares = np.zeros(most * LANES, np.int32), np.zeros(most * LANES, np.float32)
        counts = np.full(LANES, TEXELS, np.int32)
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
                passed, here, way = see_samples(
                    texels, table, side, grid, children, corners, cells, levels, size,
                    hidden_weight, hidden_bias, (row * rays + ray) * bias_step, width, seen_weight, seen_bias, rgb,
                    steepness, start, step, kept, stretches, at, min(LANES, count - at),
                    lines, shares, counts, features, hidden, values, weights, passed, channels[row, ray],
                )  # fmt: skip
                filled += here
                reached += way
                if passed < OPAQUE:
                    break
            opacity[row, ray] = filled
            depth[row, ray] = reached / max(filled, np.float32(1e-6))


@kernel(fastmath=True, parallel=True, error_model="numpy")
def densities(
    texels, tables, side, grid, children, corners, levels, bounds,
    hidden_weight, hidden_bias, output_weight, output_bias, gain, points, found,
):  # fmt: skip
    """Write the densities (B, N) at points (B, N, 3) to `found`; the others as in `march`."""
    objects, count, _ = points.shape
    width = len(hidden_bias)
    size, most = len(hidden_weight) // width, max(TEXELS, CORNERS * levels)
    jobs, steepness = (count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB, np.float32(gain)
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * POINTS_OF_A_JOB
        end = min(count, begin + POINTS_OF_A_JOB)
        table, cells = tables[row], row * side * side * side
        places, values = np.zeros(3 * LANES, np.float32), np.zeros(LANES, np.float32)
        lines, shares = np.zeros(most * LANES, np.int32), np.zeros(most * LANES, np.float32)
        counts = np.full(LANES, TEXELS, np.int32)
        features, hidden = np.zeros(FOUR * size, np.float32), np.zeros(FOUR * width, np.float32)
        for at in range(begin, end, LANES):
            here = min(LANES, end - at)
            for axis in range(3):
                low, scale = bounds[row, 0, axis], TWO / (bounds[row, 1, axis] - bounds[row, 0, axis])
                for k in range(here):
                    places[axis * LANES + k] = (points[row, at + k, axis] - low) * scale - ONE
            if levels == 0:
                x, y, z = load(places, 0), load(places, LANES), load(places, 2 * LANES)
                find_texels(x, y, z, side, 0, LANES, lines, shares)
            for k in range(here if levels else 0):
                x, y, z = places[k], places[LANES + k], places[2 * LANES + k]
                counts[k] = find_corner_lines(
                    x, y, z, grid, children, corners, cells, side, levels, k, LANES, lines, shares
                )  # fmt: skip
            values_of(
                texels, table, size, hidden_weight, hidden_bias, 0, width, output_weight, 1,
                lines, shares, counts, 0, here, LANES, False, features, hidden, values,
            )  # fmt: skip
            raised, _ = softplus(load(values, 0) + (output_bias[0] - ONE))
            store(values, 0, raised * steepness)
            for k in range(here):
                found[row, at + k] = values[k] if counts[k] else ZERO
