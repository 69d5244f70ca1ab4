"""`walking` compiled by numba for CPUs: which samples come next on a ray, and the whole walk of fused fields."""

import math

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel
from manyfields.rendering.exponentials import HALF, ONE, ZERO
from manyfields.rendering.fused_kernels import see_samples
from manyfields.rendering.fused_steps import FOUR, TEXELS, enter, find_waves, output_along
from manyfields.rendering.guided_kernel import clip_to_box
from manyfields.rendering.tree_steps import CORNERS
from manyfields.simd import LANES

RAYS_OF_A_JOB = 64
AT_ONCE = 8  # samples between two looks at what still passes: with 4 or 16 a picture takes longer


@njit(forceinline=True, error_model="numpy")
def begin_walk(origin, direction, bounds, cells, of_cell, line):
    """Where a ray enters the box, the stretch of a sample, and how many there are to the far side.

    Writes the ray in cells to `line` (6): its origin, then how far it goes along each axis in a unit of distance.
    """
    near, far = clip_to_box(origin, direction, bounds)
    fastest = ZERO
    for axis in range(3):
        scale = np.float32(cells) / (bounds[1, axis] - bounds[0, axis])
        line[axis] = (origin[axis] - bounds[0, axis]) * scale
        line[3 + axis] = direction[axis] * scale
        fastest = max(fastest, abs(line[3 + axis]))
    if far <= near:
        return near, ZERO, 0
    stretch = ONE / (fastest * np.float32(of_cell))
    return near, stretch, int(math.ceil((far - near) / stretch))


@njit(forceinline=True, error_model="numpy")
def next_samples(leaps, line, near, stretch, steps, of_cell, at, most, kept):
    """Write the distances of up to `most` samples in cells that may hold something, from step `at` on.

    Returns how many there are, and the step after them.
    """
    last, count = leaps.shape[0] - 1, 0
    while at < steps and count < most:
        distance = near + (np.float32(at) + HALF) * stretch
        x = min(max(int(line[0] + distance * line[3]), 0), last)
        y = min(max(int(line[1] + distance * line[4]), 0), last)
        z = min(max(int(line[2] + distance * line[5]), 0), last)
        leap = leaps[x, y, z]
        if leap == 0:
            kept[count] = distance
            count += 1
            at += 1
        else:
            at += max(1, (leap - 1) * of_cell)
    return count, at


@kernel(parallel=True, error_model="numpy")
def place(origins, directions, bounds, leaps, of_cell, at, distances, lengths):
    """Arguments as in `walking.next_samples`; `at` is moved on, the last two (zeros) are written."""
    objects, rays, most = distances.shape
    jobs = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * RAYS_OF_A_JOB
        line = np.zeros(6, np.float32)
        for ray in range(begin, min(rays, begin + RAYS_OF_A_JOB)):
            near, stretch, steps = begin_walk(
                origins[row, ray], directions[row, ray], bounds[row], leaps.shape[1], of_cell, line
            )
            count, at[row, ray] = next_samples(
                leaps[row], line, near, stretch, steps, of_cell, at[row, ray], most, distances[row, ray]
            )
            for k in range(count):
                lengths[row, ray, k] = stretch


@kernel(fastmath=True, parallel=True, error_model="numpy")
def walk(
    texels, tables, side, grid, children, corners, levels, bounds,
    hidden_weight, hidden_bias, bias_step, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, box, leaps, of_cell, seen_through, channels, opacity, depth,
):  # fmt: skip
    """Render rays; the last three arrays (zeros) are written. A ray ends where no more than `seen_through` passes.

    Arguments as in `fused_kernels.march`; `leaps` are those of an `Occupancy` over the boxes `box` (B, 2, 3).
    """
    objects, rays, _ = origins.shape
    outputs = 1 + channels.shape[2]
    width = len(output_weight) // len(output_bias)
    size, most = len(hidden_weight) // width, max(TEXELS, CORNERS * levels)
    jobs, steepness = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB, np.float32(gain)
    for job in prange(objects * jobs):
        row, begin = job // jobs, (job % jobs) * RAYS_OF_A_JOB
        table, cells = tables[row], row * side * side * side
        kept, stretches, line = np.zeros(LANES, np.float32), np.zeros(LANES, np.float32), np.zeros(6, np.float32)
        lines, shares = np.zeros(most * LANES, np.int32), np.zeros(most * LANES, np.float32)
        counts = np.full(LANES, TEXELS, np.int32)
        features, hidden = np.zeros(FOUR * size, np.float32), np.zeros(FOUR * width, np.float32)
        values, weights = np.zeros(outputs * LANES, np.float32), np.zeros(LANES, np.float32)
        start, step, waves = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(1 + harmonics, np.float32)
        seen_weight, seen_bias = np.zeros(outputs * width, np.float32), np.zeros(outputs, np.float32)
        for ray in range(begin, min(rays, begin + RAYS_OF_A_JOB)):
            near, stretch, steps = begin_walk(
                origins[row, ray], directions[row, ray], box[row], leaps.shape[1], of_cell, line
            )
            count, at = next_samples(leaps[row], line, near, stretch, steps, of_cell, 0, AT_ONCE, kept)
            if count == 0:
                continue
            enter(origins, directions, ray, bounds, row, start, step)
            find_waves(directions, row, ray, harmonics, waves)
            output_along(waves, harmonics, output_weight, output_bias, outputs - 1, width, seen_weight, seen_bias)
            passed, filled, reached = ONE, ZERO, ZERO
            while count and passed > seen_through:
                for k in range(LANES):
                    stretches[k] = stretch if k < count else ZERO
                passed, here, way = see_samples(
                    texels, table, side, grid, children, corners, cells, levels, size,
                    hidden_weight, hidden_bias, (row * rays + ray) * bias_step, width, seen_weight, seen_bias, rgb,
                    steepness, start, step, kept, stretches, 0, count,
                    lines, shares, counts, features, hidden, values, weights, passed, channels[row, ray],
                )  # fmt: skip
                filled += here
                reached += way
                count, at = next_samples(leaps[row], line, near, stretch, steps, of_cell, at, AT_ONCE, kept)
            opacity[row, ray] = filled
            depth[row, ray] = reached / max(filled, np.float32(1e-6))
