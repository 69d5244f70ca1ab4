"""Micro planes beside weighted sums of base planes, and its transpose, compiled by numba for CPUs.

The twin of `FusedPlanes.planes`: one pass over memory each way, where tensor operations take eight. A line of texels is
one long vector of W F numbers, for which weights are repeated from texel to texel.
"""

import numpy as np
from numba import njit, prange

from manyfields.compiled import kernel

JOBS = 16  # parts of the lines that sum gradients of weights on their own: fixed, so that sums do not depend on threads


@njit(inline="always")
def _repeated(weights, across, line):
    """line[x F + f] = weights[f] for `across` texels."""
    features = len(weights)
    for x in range(across):
        for f in range(features):
            line[x * features + f] = weights[f]


@kernel(fastmath=True, parallel=True)
def mix(micro, base, weights, bias, planes):
    """`planes` (B, L, W, G + F) from micro (B, L, W, G), base (M, L, W F), weights (B, M, F), bias (B): L lines."""
    objects, lines, across, own = micro.shape
    count, _, length = base.shape
    features = length // across
    for job in prange(JOBS):
        shares, mixed = np.empty((count, length), np.float32), np.empty(length, np.float32)
        for row in range(objects):
            for k in range(count):
                _repeated(weights[row, k], across, shares[k])
            for line in range(job, lines, JOBS):
                for i in range(length):
                    mixed[i] = bias[row]
                for k in range(count):
                    source, share = base[k, line], shares[k]
                    for i in range(length):
                        mixed[i] += share[i] * source[i]
                for x in range(across):
                    for g in range(own):
                        planes[row, line, x, g] = micro[row, line, x, g]
                    for f in range(features):
                        planes[row, line, x, own + f] = mixed[x * features + f]


@kernel(fastmath=True, parallel=True)
def unmix(gradient, base, weights, micro_gradient, base_gradient, weights_gradient, bias_gradient):
    """Gradients of what `mix` mixed; all but the first three are written.

    `weights_gradient` (JOBS, B, M, F) and `bias_gradient` (JOBS, B) come in parts, to be summed.
    """
    objects, lines, across, own = micro_gradient.shape
    count, _, length = base.shape
    features = length // across
    for job in prange(JOBS):
        shares, back = np.empty((count, length), np.float32), np.empty(length, np.float32)
        sums = np.empty((count, length), np.float32)
        for row in range(objects):
            for k in range(count):
                _repeated(weights[row, k], across, shares[k])
                for i in range(length):
                    sums[k, i] = 0.0
            for line in range(job, lines, JOBS):
                total = np.float32(0.0)
                for x in range(across):
                    for g in range(own):
                        micro_gradient[row, line, x, g] = gradient[row, line, x, g]
                    for f in range(features):
                        value = gradient[row, line, x, own + f]
                        back[x * features + f] = value
                        total += value
                bias_gradient[job, row] += total
                for k in range(count):
                    source, into, share, products = base[k, line], base_gradient[k, line], shares[k], sums[k]
                    for i in range(length):
                        into[i] += share[i] * back[i]
                        products[i] += source[i] * back[i]
            for k in range(count):
                for x in range(across):
                    for f in range(features):
                        weights_gradient[job, row, k, f] += sums[k, x * features + f]
