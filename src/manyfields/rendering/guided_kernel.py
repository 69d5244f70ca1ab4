"""`guided_samples` compiled by numba for CPUs: one walk along each ray, nothing in between is stored."""

import math

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel
from manyfields.rendering.exponentials import exponential
from manyfields.simd import LANES, clamp, load, maximum, splat, store, store_whole, total, where_positive

RAYS_OF_A_JOB = 64
SEEN = np.float32(math.exp(-9.2))  # transmittance behind which nothing is
LEAST = np.float32(1e-3)
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@njit(inline="always")
def clip_to_box(origin, direction, bounds):
    near, far = ZERO, np.float32(np.inf)
    for axis in range(3):
        step = direction[axis]
        if abs(step) < np.float32(1e-12):
            step = np.float32(1e-12)
        first = (bounds[0, axis] - origin[axis]) / step
        second = (bounds[1, axis] - origin[axis]) / step
        near = max(near, min(first, second))
        far = min(far, max(first, second))
    return near, far


@kernel(parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def place_samples(origins, directions, bounds, guide, offsets, bins, spread, distances, lengths, hits):
    """Arguments as in `guided_samples`, float32 and contiguous; the last three (zeros) are written."""
    objects, rays, samples = offsets.shape
    side = guide.shape[1]
    cells = guide.reshape(-1)
    jobs = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB
    for job in prange(objects * jobs):
        row = job // jobs
        first = (job % jobs) * RAYS_OF_A_JOB
        padded = (bins + LANES - 1) // LANES * LANES
        middles, places = np.arange(padded).astype(np.float32) + HALF, np.zeros(3 * padded, np.int32)
        densities, weights = np.zeros(padded, np.float32), np.zeros(padded + 2, np.float32)
        shares, cumulated = np.zeros(padded, np.float32), np.zeros(bins + 1, np.float32)
        scale = np.empty(3, np.float32)
        for axis in range(3):
            scale[axis] = np.float32(side) / (bounds[row, 1, axis] - bounds[row, 0, axis])
        for ray in range(first, min(rays, first + RAYS_OF_A_JOB)):
            origin, direction = origins[row, ray], directions[row, ray]
            near, far = clip_to_box(origin, direction, bounds[row])
            if far <= near:
                continue
            width = (far - near) / np.float32(bins)
            start_x = (origin[0] - bounds[row, 0, 0]) * scale[0]
            start_y = (origin[1] - bounds[row, 0, 1]) * scale[1]
            start_z = (origin[2] - bounds[row, 0, 2]) * scale[2]
            # Three loops: looked-up cells wait for memory, but not for each other as transmittances do.
            step_x, step_y, step_z = direction[0] * scale[0], direction[1] * scale[1], direction[2] * scale[2]
            last = np.float32(side - 1)
            for k in range(0, bins, LANES):
                distance = load(middles, k) * width + near
                store_whole(places, k, clamp(distance * step_x + start_x, ZERO, last))
                store_whole(places, padded + k, clamp(distance * step_y + start_y, ZERO, last))
                store_whole(places, 2 * padded + k, clamp(distance * step_z + start_z, ZERO, last))
            for k in range(bins):
                x, y, z = places[k], places[padded + k], places[2 * padded + k]
                densities[k] = cells[((row * side + x) * side + y) * side + z]
            count = ZERO
            for k in range(0, bins, LANES):
                count += total(where_positive(load(densities, k), splat(ONE)))
            if count == ZERO:
                continue
            hits[row, ray] = True
            # Weights lie one place further on: the first bin has a left neighbour too, which weighs nothing.
            for k in range(0, bins, LANES):
                store(weights, 1 + k, ONE - exponential(load(densities, k) * -width))
            k, passed, seen = 0, ONE, ZERO
            while k < bins and passed > SEEN:
                k += 1
                weights[k] *= passed
                passed -= weights[k]
                seen += weights[k]
            weights[k + 1 :] = ZERO
            even = np.float32(spread) * (seen + LEAST) / count
            for k in range(0, bins, LANES):
                largest = maximum(maximum(load(weights, k), load(weights, 1 + k)), load(weights, 2 + k))
                store(shares, k, where_positive(load(densities, k), largest + even))
            for k in range(bins):
                cumulated[k + 1] = cumulated[k] + shares[k]
            _invert(cumulated, densities, near, width, offsets[row, ray], distances[row, ray], lengths[row, ray])


@njit(inline="always")
def _invert(cumulated, densities, near, width, offsets, distances, lengths):
    """Walk up the cumulated weights once: samples and the ends of their stretches come in order."""
    bins, samples = len(cumulated) - 1, len(offsets)
    step = cumulated[bins] / np.float32(samples)
    k, reached, before = 0, ZERO, ZERO
    for sample in range(samples):
        for at_end in range(2):
            value = (np.float32(sample) + (ONE if at_end else offsets[sample])) * step
            while k < bins - 1 and cumulated[k + 1] < value:
                if densities[k] > ZERO:
                    reached += width
                k += 1
            share = (value - cumulated[k]) / max(cumulated[k + 1] - cumulated[k], np.float32(1e-20))
            share = min(max(share, ZERO), ONE)
            if at_end:
                end = reached + (share * width if densities[k] > ZERO else ZERO)
                lengths[sample] = max(end - before, ZERO)
                before = end
            else:
                distances[sample] = near + width * (np.float32(k) + share)
