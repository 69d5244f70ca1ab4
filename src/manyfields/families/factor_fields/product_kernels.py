"""`read_factors` compiled by numba for CPUs: all grids of a scene in one walk over the points.

The way back runs over grids in parallel and over points in order, so that no sum depends on the number of threads.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from manyfields.compiled import kernel
from manyfields.families.factor_fields.grids import SAWTOOTH, TRIANGLE
from manyfields.simd import LANES, load, multiply_add, splat, store

POINTS_OF_A_JOB = 512
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
FAST = {"contract", "nsz", "arcp"}
compiled = kernel(parallel=True, fastmath=FAST)


def forward(volumes: Sequence[Tensor], scales: Tensor, kinds: Sequence[int], places: Tensor, made: Tensor) -> None:
    """Write what grids (z, y, x, C) have at places into `made` (N, sum of C); all float32."""
    shapes = _shapes(volumes)
    lengths = np.array([volume.numel() for volume in volumes])
    # With room for reading beyond the end.
    flat = torch.cat([*(volume.detach().reshape(-1) for volume in volumes), volumes[0].new_zeros(2 * LANES)]).numpy()
    _forward(flat, np.cumsum(lengths) - lengths, *shapes, scales.numpy(), np.array(kinds), places.numpy(), made.numpy())


def backward(into: Sequence[Tensor], scales: Tensor, kinds: Sequence[int], places: Tensor, gradient: Tensor) -> None:
    """Add the gradients (N, sum of C) of what was read to those of the grids."""
    shapes = _shapes(into)
    flat = tuple(volume.numpy().reshape(-1) for volume in into)
    _backward(flat, *shapes, scales.numpy(), np.array(kinds), places.numpy(), gradient.numpy())


def _shapes(volumes: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texels along x, y, z of each grid, its channels, and where these begin in a row of what is read."""
    widths = np.array([volume.shape[3] for volume in volumes])
    return np.array([volume.shape[2::-1] for volume in volumes]), widths, np.cumsum(widths) - widths


@njit(inline="always")
def _between(place, scale, kind, texels):
    """The texel before a place, and the share of the one after it."""
    at = min(max(place, ZERO), ONE) * scale
    if kind == SAWTOOTH:
        at -= np.floor(at)
    elif kind == TRIANGLE:
        at -= TWO * np.floor(HALF * at)
        at = min(at, TWO - at)
    at *= np.float32(texels - 1)
    low = min(int(at), texels - 2)
    return low, np.float32(at - np.float32(low))


@njit(inline="always")
def _corner(place, scale, kind, size, width):
    """Where the first of the eight texels around a place begins, and the shares of the far ones along x, y, z."""
    left, x = _between(place[0], scale[0], kind, size[0])
    front, y = _between(place[1], scale[1], kind, size[1])
    low, z = _between(place[2], scale[2], kind, size[2])
    return ((low * size[1] + front) * size[0] + left) * width, x, y, z


@compiled
def _forward(volumes, offsets, sizes, widths, starts, scales, kinds, places, made):
    count, channels = made.shape
    for job in prange((count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB):
        # Sixteen numbers are read and written at a time, of which those beyond a grid's channels are overwritten.
        row = np.empty(channels + LANES, np.float32)
        for n in range(job * POINTS_OF_A_JOB, min(count, (job + 1) * POINTS_OF_A_JOB)):
            for g in range(len(sizes)):
                size, width = sizes[g], widths[g]
                at, x, y, z = _corner(places[n], scales[g], kinds[g], size, width)
                at += offsets[g]
                line, slab = size[0] * width, size[0] * size[1] * width
                a, b, c, d = (ONE - x) * (ONE - y), x * (ONE - y), (ONE - x) * y, x * y
                for k in range(0, width, LANES):
                    low = load(volumes, at + k) * a
                    low = multiply_add(splat(b), load(volumes, at + width + k), low)
                    low = multiply_add(splat(c), load(volumes, at + line + k), low)
                    low = multiply_add(splat(d), load(volumes, at + line + width + k), low)
                    high = load(volumes, at + slab + k) * a
                    high = multiply_add(splat(b), load(volumes, at + slab + width + k), high)
                    high = multiply_add(splat(c), load(volumes, at + slab + line + k), high)
                    high = multiply_add(splat(d), load(volumes, at + slab + line + width + k), high)
                    store(row, starts[g] + k, multiply_add(splat(z), high, low * (ONE - z)))
            for k in range(channels):
                made[n, k] = row[k]


@njit(fastmath=FAST)
def _learn(volume, size, width, scale, kind, places, gradient, start):
    row, slab = size[0] * width, size[0] * size[1] * width
    for n in range(len(places)):
        at, x, y, z = _corner(places[n], scale, kind, size, width)
        a, b, c, d = (ONE - x) * (ONE - y), x * (ONE - y), (ONE - x) * y, x * y
        wanted = gradient[n]
        for k in range(width):
            low, high = wanted[start + k] * (ONE - z), wanted[start + k] * z
            volume[at + k] += a * low
            volume[at + width + k] += b * low
            volume[at + row + k] += c * low
            volume[at + row + width + k] += d * low
            volume[at + slab + k] += a * high
            volume[at + slab + width + k] += b * high
            volume[at + slab + row + k] += c * high
            volume[at + slab + row + width + k] += d * high


@compiled
def _backward(into, sizes, widths, starts, scales, kinds, places, gradient):
    for g in prange(len(into)):
        _learn(into[g], sizes[g], widths[g], scales[g], kinds[g], places, gradient, starts[g])
