"""The steps from a place on a ray to a value, and back, for the compiled kernels: each works on one sample.

Arrays are one-dimensional views of contiguous float32 (see `simd`); features come in whole vectors (F a multiple of
16), hidden units in pairs of them (H a multiple of 32), both padded with zeros.
"""

import math

import numpy as np
from numba import njit

from manyfields.simd import LANES, add, load, multiply, multiply_add, splat, store, total, where_positive

OPAQUE = np.float32(1e-4)  # transmittance behind which nothing is seen
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
WIDER, LOWER = np.float32(1.002), np.float32(0.001)  # of the sigmoid of colours
PAIR = 2 * LANES


@njit(fastmath=True, forceinline=True, error_model="numpy")
def exponential(x):
    """exp of x <= 88, relative error 2e-7 (Cephes): a call of the library's takes four times as long."""
    x = min(max(x, np.float32(-87)), np.float32(88))
    whole = math.floor(x * np.float32(1.44269504) + HALF)
    r = x - whole * np.float32(0.693359375) + whole * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    power = np.int32((int(whole) + 127) << 23).view(np.float32)  # 2^whole, written as its bits
    return (p * r * r + r + ONE) * power


@njit(fastmath=True, forceinline=True, error_model="numpy")
def log1p(y):
    """log(1 + y) of y in [0, 1], by the series of atanh; error below 3e-7."""
    z = y / (TWO + y)
    q = z * z
    series = np.float32(1 / 9) + q * np.float32(1 / 11)
    series = np.float32(1 / 5) + q * (np.float32(1 / 7) + q * series)
    return TWO * z * (ONE + q * (np.float32(1 / 3) + q * series))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _cell(value, size):
    """Left sample and share of the right one, of a coordinate in [-1, 1] on `size` samples."""
    position = min(max((value + ONE) * HALF, ZERO), ONE) * np.float32(size - 1)
    left = min(int(position), size - 2)
    return left, np.float32(position - left)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def enter(origins, directions, ray, bounds, row, start, step):
    """The ray in the units of the planes: start + distance * step, in [-1, 1] inside the box."""
    for axis in range(3):
        scale = TWO / (bounds[row, 1, axis] - bounds[row, 0, axis])
        start[axis] = (origins[row, ray, axis] - bounds[row, 0, axis]) * scale - ONE
        step[axis] = directions[row, ray, axis] * scale


@njit(fastmath=True, forceinline=True, error_model="numpy")
def find_corners(x, y, z, side, at, first, shares):
    """First texels (3, from `first[3 at]`) of planes XY, XZ, YZ and bilinear weights (12) of a point's corners."""
    column, across = _cell(x, side)
    line, along = _cell(y, side)
    level, up = _cell(z, side)
    first[3 * at] = line * side + column
    first[3 * at + 1] = (side + level) * side + column
    first[3 * at + 2] = (2 * side + level) * side + line  # y runs along the columns of plane YZ
    for plane in range(3):
        right = along if plane == 2 else across
        below = along if plane == 0 else up
        both = right * below
        shares[12 * at + 4 * plane] = ONE - right - below + both
        shares[12 * at + 4 * plane + 1] = right - both
        shares[12 * at + 4 * plane + 2] = below - both
        shares[12 * at + 4 * plane + 3] = both


@njit(fastmath=True, forceinline=True, error_model="numpy")
def gather(texels, table, size, side, at, first, shares, features):
    """features (at F ...) = the weighted sum of twelve rows of an object's texels, which begin at `table`."""
    for block in range(0, size, LANES):
        sums = splat(ZERO), splat(ZERO), splat(ZERO)
        for plane in range(3):
            place = table + first[3 * at + plane] * size + block
            share = 12 * at + 4 * plane
            upper = multiply(splat(shares[share]), load(texels, place))
            upper = multiply_add(splat(shares[share + 1]), load(texels, place + size), upper)
            lower = multiply(splat(shares[share + 2]), load(texels, place + side * size))
            lower = multiply_add(splat(shares[share + 3]), load(texels, place + side * size + size), lower)
            sums = sums[1], sums[2], add(upper, lower)
        store(features, at * size + block, add(add(sums[0], sums[1]), sums[2]))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def scatter(gradient, size, side, at, first, shares, texels, table):
    """Add a gradient of `size` features to the twelve rows of texels."""
    for plane in range(3):
        place = table + first[3 * at + plane] * size
        share = 12 * at + 4 * plane
        a, b, c, d = shares[share], shares[share + 1], shares[share + 2], shares[share + 3]
        for block in range(0, size, LANES):
            value = load(gradient, block)
            here, below = place + block, place + block + side * size
            store(texels, here, multiply_add(splat(a), value, load(texels, here)))
            store(texels, here + size, multiply_add(splat(b), value, load(texels, here + size)))
            store(texels, below, multiply_add(splat(c), value, load(texels, below)))
            store(texels, below + size, multiply_add(splat(d), value, load(texels, below + size)))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def hidden_units(features, weight, bias, size, width, at, hidden):
    """hidden (at H ...) = ReLU(features (at F ...) @ weight (F, H) + bias)."""
    for block in range(0, width, PAIR):
        # Two sums each, of even and odd features: one alone would wait for itself.
        a, b = load(bias, block), load(bias, block + LANES)
        c, d = splat(ZERO), splat(ZERO)
        for i in range(0, size, 2):
            even, odd = splat(features[at * size + i]), splat(features[at * size + i + 1])
            place = i * width + block
            a = multiply_add(even, load(weight, place), a)
            b = multiply_add(even, load(weight, place + LANES), b)
            c = multiply_add(odd, load(weight, place + width), c)
            d = multiply_add(odd, load(weight, place + width + LANES), d)
        a, b = add(a, c), add(b, d)
        store(hidden, at * width + block, where_positive(a, a))
        store(hidden, at * width + block + LANES, where_positive(b, b))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def back_to_features(gradient, weight, width, size, at, features):
    """features (G) = gradient of the hidden layer (at H ...) @ weight (H, G)."""
    for block in range(0, size, LANES):
        a, b, c, d = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
        for j in range(0, width, 4):
            i, place = at * width + j, j * size + block
            a = multiply_add(splat(gradient[i]), load(weight, place), a)
            b = multiply_add(splat(gradient[i + 1]), load(weight, place + size), b)
            c = multiply_add(splat(gradient[i + 2]), load(weight, place + 2 * size), c)
            d = multiply_add(splat(gradient[i + 3]), load(weight, place + 3 * size), d)
        store(features, block, add(add(a, b), add(c, d)))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def output(hidden, at, weight, row, width):
    """One value: hidden (at H ...) @ weight (row H ...)."""
    a, b = splat(ZERO), splat(ZERO)
    for block in range(0, width, PAIR):
        a = multiply_add(load(hidden, at * width + block), load(weight, row * width + block), a)
        b = multiply_add(load(hidden, at * width + block + LANES), load(weight, row * width + block + LANES), b)
    return total(add(a, b))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def find_waves(directions, row, ray, count, waves):
    """Factors of the mean and of `count` harmonics (0, 3 or 8) for a direction (see `fields.harmonics`)."""
    x, y, z = directions[row, ray, 0], directions[row, ray, 1], directions[row, ray, 2]
    waves[0] = ONE
    if count >= 3:
        waves[1], waves[2], waves[3] = x, y, z
    if count >= 8:
        waves[4], waves[5], waves[6] = x * y, y * z, x * z
        waves[7], waves[8] = np.float32(3) * z * z - ONE, x * x - y * y


@njit(fastmath=True, forceinline=True, error_model="numpy")
def output_along(waves, count, weight, bias, channels, width, seen_weight, seen_bias):
    """Output layer (1 + C, H) as seen along one ray, from that of all harmonics: directions are constant there."""
    seen_bias[0] = bias[0]
    for block in range(0, width, LANES):
        store(seen_weight, block, load(weight, block))
    for channel in range(1, channels + 1):
        value = ZERO
        for wave in range(count + 1):
            value += waves[wave] * bias[channel + wave * channels]
        seen_bias[channel] = value
        for block in range(0, width, LANES):
            seen = load(weight, channel * width + block)
            for wave in range(1, count + 1):
                row = channel + wave * channels
                seen = multiply_add(splat(waves[wave]), load(weight, row * width + block), seen)
            store(seen_weight, channel * width + block, seen)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def back_to_output(seen_weight, seen_bias, waves, count, channels, width, weight, weight_at, bias, bias_at):
    """Add to the gradient of the output layer what that of one ray tells: the transpose of `output_along`."""
    for output_row in range(channels + 1):
        for wave in range(count + 1 if output_row else 1):
            row = output_row + wave * channels
            bias[bias_at + row] += waves[wave] * seen_bias[output_row]
            for block in range(0, width, LANES):
                place = weight_at + row * width + block
                value = load(seen_weight, output_row * width + block)
                store(weight, place, multiply_add(splat(waves[wave]), value, load(weight, place)))
