"""`guided_samples` compiled by numba for CPUs: one walk along each ray, nothing in between is stored."""

import math

import numpy as np
from numba import njit, prange

from manyfields.rendering.fused_steps import exponential

RAYS_OF_A_JOB = 64
SEEN = np.float32(math.exp(-9.2))  # transmittance behind which nothing is
LEAST = np.float32(1e-3)
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@njit(inline="always")
def _clip(origin, direction, bounds):
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


@njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def place_samples(origins, directions, bounds, guide, offsets, bins, spread, distances, lengths, hits):
    """Arguments as in `guided_samples`, float32 and contiguous; the last three (zeros) are written."""
    objects, rays, samples = offsets.shape
    side = guide.shape[1]
    cells = guide.reshape(-1)
    jobs = (rays + RAYS_OF_A_JOB - 1) // RAYS_OF_A_JOB
    for job in prange(objects * jobs):
        row = job // jobs
        first = (job % jobs) * RAYS_OF_A_JOB
        weights, densities = np.empty(bins, np.float32), np.empty(bins, np.float32)
        filled = np.empty(bins, np.bool_)
        cumulated = np.empty(bins + 1, np.float32)
        scale = np.empty(3, np.float32)
        for axis in range(3):
            scale[axis] = np.float32(side) / (bounds[row, 1, axis] - bounds[row, 0, axis])
        for ray in range(first, min(rays, first + RAYS_OF_A_JOB)):
            origin, direction = origins[row, ray], directions[row, ray]
            near, far = _clip(origin, direction, bounds[row])
            if far <= near:
                continue
            width = (far - near) / np.float32(bins)
            start_x = (origin[0] - bounds[row, 0, 0]) * scale[0]
            start_y = (origin[1] - bounds[row, 0, 1]) * scale[1]
            start_z = (origin[2] - bounds[row, 0, 2]) * scale[2]
            # Two loops: looked-up cells wait for memory, but not for each other as transmittances do.
            step_x, step_y, step_z = direction[0] * scale[0], direction[1] * scale[1], direction[2] * scale[2]
            for k in range(bins):
                distance = near + width * (np.float32(k) + HALF)
                x = min(max(int(start_x + distance * step_x), 0), side - 1)
                y = min(max(int(start_y + distance * step_y), 0), side - 1)
                z = min(max(int(start_z + distance * step_z), 0), side - 1)
                densities[k] = cells[((row * side + x) * side + y) * side + z]
            count, total, passed = 0, ZERO, ONE
            for k in range(bins):
                filled[k] = densities[k] > ZERO
                weights[k] = ZERO
                if filled[k]:
                    count += 1
                    if passed > SEEN:
                        weight = passed * (ONE - exponential(-densities[k] * width))
                        weights[k] = weight
                        passed -= weight
                        total += weight
            if count == 0:
                continue
            hits[row, ray] = True
            even = np.float32(spread) * (total + LEAST) / np.float32(count)
            cumulated[0] = ZERO
            for k in range(bins):
                weight = ZERO
                if filled[k]:
                    weight = weights[k]
                    if k > 0:
                        weight = max(weight, weights[k - 1])
                    if k < bins - 1:
                        weight = max(weight, weights[k + 1])
                    weight += even
                cumulated[k + 1] = cumulated[k] + weight
            _invert(cumulated, filled, near, width, offsets[row, ray], distances[row, ray], lengths[row, ray])


@njit(inline="always")
def _invert(cumulated, filled, near, width, offsets, distances, lengths):
    """Walk up the cumulated weights once: samples and the ends of their stretches come in order."""
    bins, samples = len(filled), len(offsets)
    step = cumulated[bins] / np.float32(samples)
    k, reached, before = 0, ZERO, ZERO
    for sample in range(samples):
        for at_end in range(2):
            value = (np.float32(sample) + (ONE if at_end else offsets[sample])) * step
            while k < bins - 1 and cumulated[k + 1] < value:
                if filled[k]:
                    reached += width
                k += 1
            share = (value - cumulated[k]) / max(cumulated[k + 1] - cumulated[k], np.float32(1e-20))
            share = min(max(share, ZERO), ONE)
            if at_end:
                end = reached + (share * width if filled[k] else ZERO)
                lengths[sample] = max(end - before, ZERO)
                before = end
            else:
                distances[sample] = near + width * (np.float32(k) + share)
