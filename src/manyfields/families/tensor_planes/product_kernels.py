"""`tensor_products` compiled by numba for CPUs: 16 components at a time, nothing stored in between.

The way back reads texels again in the place of keeping what was read. It runs over pairs of a plane and a vector in
parallel and over points in order, so that no sum depends on the number of threads.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit, prange
from torch import Tensor

from manyfields.compiled import kernel
from manyfields.simd import LANES, load, multiply_add, splat, store, total

POINTS_OF_A_JOB = 512
ZERO, ONE = np.float32(0), np.float32(1)
compiled = kernel(parallel=True, fastmath={"contract", "nsz", "arcp"})
COLUMN, ROW, ALONG = (0, 0, 1), (1, 2, 2), (2, 1, 0)  # axes of each plane, and of the vector beside it


def forward(tensors: Sequence[Tensor], places: Tensor, made: Tensor, summed: bool) -> None:
    """Write products (N, K), or their sums (N), into `made`; all float32, components a multiple of 16."""
    arrays = [tensor.detach().contiguous().numpy() for tensor in tensors]
    into = made.numpy().reshape(-1)
    components = arrays[0].shape[-1]
    if len(arrays) == 3:
        lines, sizes = _flat(arrays)
        _lines_forward(*lines, sizes, places.numpy(), into, components, summed)  # type: ignore[call-arg]  # stubs miscount
        return
    planes, _ = _flat(arrays[:3])
    lines, sizes = _flat(arrays[3:])
    _pairs_forward(planes, lines, sizes, places.numpy(), into, components, summed)


def backward(
    tensors: Sequence[Tensor], places: Tensor, gradient: Tensor, learned: Sequence[Tensor], summed: bool
) -> None:
    """Add the gradients of all tensors to `learned`."""
    arrays = [tensor.detach().contiguous().numpy() for tensor in tensors]
    into, components = [tensor.numpy() for tensor in learned], arrays[0].shape[-1]
    of = gradient.numpy().reshape(-1)
    if len(arrays) == 3:
        lines, sizes = _flat(arrays)
        _lines_backward(lines, _flat(into)[0], sizes, places.numpy(), of, components, summed)
        return
    planes, _ = _flat(arrays[:3])
    lines, sizes = _flat(arrays[3:])
    into_planes, into_lines = _flat(into[:3])[0], _flat(into[3:])[0]
    _pairs_backward(planes, lines, into_planes, into_lines, sizes, places.numpy(), of, components, summed)


def _flat(arrays: Sequence[np.ndarray]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Arrays without dimensions, and their lengths by axis: vectors run along z, y, x."""
    return tuple(each.reshape(-1) for each in arrays), np.array([len(each) for each in arrays[::-1]])


@njit(inline="always")
def _between(place, texels):
    """The texel before a place, and the share of the one after it."""
    at = min(max(place, ZERO), ONE) * np.float32(texels - 1)
    low = min(int(at), texels - 2)
    return low, np.float32(at - np.float32(low))


@njit(inline="always")
def _corners(place, pair, sizes, components):
    """Where a point reads a plane (its four corners with their weights) and the vector beside it."""
    column, row, along = COLUMN[pair], ROW[pair], ALONG[pair]
    left, x = _between(place[column], sizes[column])
    top, y = _between(place[row], sizes[row])
    low, z = _between(place[along], sizes[along])
    step = sizes[column] * components
    both = x * y
    at = top * step + left * components
    return at, step, ONE - x - y + both, x - both, y - both, both, low * components, z


@compiled
def _pairs_forward(planes, lines, sizes, places, into, components, summed):
    count = len(places)
    for job in prange((count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB):
        first, last = job * POINTS_OF_A_JOB, min(count, (job + 1) * POINTS_OF_A_JOB)
        for pair in range(3):
            plane, line = planes[pair], lines[pair]
            for n in range(first, last):
                at, step, a, b, c, d, low, z = _corners(places[n], pair, sizes, components)
                sums = splat(ZERO)
                for k in range(0, components, LANES):
                    flat = load(plane, at + k) * a
                    flat = multiply_add(splat(b), load(plane, at + components + k), flat)
                    flat = multiply_add(splat(c), load(plane, at + step + k), flat)
                    flat = multiply_add(splat(d), load(plane, at + step + components + k), flat)
                    beside = load(line, low + k) * (ONE - z)
                    beside = multiply_add(splat(z), load(line, low + components + k), beside)
                    if summed:
                        sums = multiply_add(flat, beside, sums)
                    else:
                        store(into, (n * 3 + pair) * components + k, flat * beside)
                if summed:
                    into[n] = total(sums) if pair == 0 else into[n] + total(sums)


@compiled
def _pairs_backward(planes, lines, into_planes, into_lines, sizes, places, of, components, summed):
    for pair in prange(3):
        plane, line = planes[pair], lines[pair]
        into_plane, into_line = into_planes[pair], into_lines[pair]
        for n in range(len(places)):
            if summed and of[n] == ZERO:
                continue
            at, step, a, b, c, d, low, z = _corners(places[n], pair, sizes, components)
            for k in range(0, components, LANES):
                flat = load(plane, at + k) * a
                flat = multiply_add(splat(b), load(plane, at + components + k), flat)
                flat = multiply_add(splat(c), load(plane, at + step + k), flat)
                flat = multiply_add(splat(d), load(plane, at + step + components + k), flat)
                beside = load(line, low + k) * (ONE - z)
                beside = multiply_add(splat(z), load(line, low + components + k), beside)
                wanted = splat(of[n]) if summed else load(of, (n * 3 + pair) * components + k)
                for_line, for_plane = wanted * flat, wanted * beside
                _add(into_line, low + k, for_line, ONE - z)
                _add(into_line, low + components + k, for_line, z)
                _add(into_plane, at + k, for_plane, a)
                _add(into_plane, at + components + k, for_plane, b)
                _add(into_plane, at + step + k, for_plane, c)
                _add(into_plane, at + step + components + k, for_plane, d)


@njit(inline="always")
def _add(into, at, value, weight):
    store(into, at, multiply_add(value, splat(weight), load(into, at)))


@njit(inline="always")
def _on_line(line, low, share, components, k):
    at = low * components + k
    return multiply_add(splat(share), load(line, at + components), load(line, at) * (ONE - share))


@compiled
def _lines_forward(along_z, along_y, along_x, sizes, places, into, components, summed):
    count = len(places)
    for job in prange((count + POINTS_OF_A_JOB - 1) // POINTS_OF_A_JOB):
        for n in range(job * POINTS_OF_A_JOB, min(count, (job + 1) * POINTS_OF_A_JOB)):
            x, x_share = _between(places[n, 0], sizes[0])
            y, y_share = _between(places[n, 1], sizes[1])
            z, z_share = _between(places[n, 2], sizes[2])
            sums = splat(ZERO)
            for k in range(0, components, LANES):
                product = _on_line(along_z, z, z_share, components, k) * _on_line(along_y, y, y_share, components, k)
                product = product * _on_line(along_x, x, x_share, components, k)
                if summed:
                    sums = sums + product
                else:
                    store(into, n * components + k, product)
            if summed:
                into[n] = total(sums)


@compiled
def _lines_backward(lines, into_lines, sizes, places, of, components, summed):
    for own in prange(3):
        first, second = lines[(own + 1) % 3], lines[(own + 2) % 3]
        into = into_lines[own]
        a, b, c = ALONG[own], ALONG[(own + 1) % 3], ALONG[(own + 2) % 3]
        for n in range(len(places)):
            if summed and of[n] == ZERO:
                continue
            low, share = _between(places[n, a], sizes[a])
            other, other_share = _between(places[n, b], sizes[b])
            third, third_share = _between(places[n, c], sizes[c])
            for k in range(0, components, LANES):
                wanted = splat(of[n]) if summed else load(of, n * components + k)
                wanted = wanted * _on_line(first, other, other_share, components, k)
                wanted = wanted * _on_line(second, third, third_share, components, k)
                _add(into, low * components + k, wanted, ONE - share)
                _add(into, low * components + components + k, wanted, share)
