"""The steps from places on a ray to values, and back, for the compiled kernels.

Where lanes of a vector are 16 samples of a ray there is one function for all of them; where lanes are features or
hidden units, one for FOUR samples at a time, so that every weight that is read serves four. Arrays are one-dimensional
views of contiguous float32 (see `simd`); features come in whole vectors (F a multiple of 16), hidden units in pairs of
them (H a multiple of 32), both padded with zeros.
"""

import numpy as np
from numba import njit

from manyfields.rendering.exponentials import HALF, ONE, TWO, ZERO
from manyfields.simd import (
    LANES,
    clamp,
    floor,
    load,
    multiply_add,
    splat,
    store,
    store_whole,
    total,
    where_positive,
)

OPAQUE = np.float32(1e-4)  # transmittance behind which nothing is seen
WIDER, LOWER = np.float32(1.002), np.float32(0.001)  # of the sigmoid of colours
FOUR = 4
TEXELS = 12  # that a point reads: four on each of three planes
PAIR = 2 * LANES


@njit(fastmath=True, forceinline=True, error_model="numpy")
def keep_samples(distances, lengths, row, ray, kept, stretches):
    """Copy distances and lengths of a ray's samples that stand for anything, and fill up with zeros; how many."""
    count = 0
    for sample in range(distances.shape[2]):
        if lengths[row, ray, sample] > ZERO:
            kept[count] = distances[row, ray, sample]
            stretches[count] = lengths[row, ray, sample]
            count += 1
    for at in range(count, (count + LANES - 1) // LANES * LANES):
        kept[at], stretches[at] = ZERO, ZERO
    return count


@njit(fastmath=True, forceinline=True, error_model="numpy")
def enter(origins, directions, ray, bounds, row, start, step):
    """The ray in the units of the planes: start + distance * step, in [-1, 1] inside the box."""
    for axis in range(3):
        scale = TWO / (bounds[row, 1, axis] - bounds[row, 0, axis])
        start[axis] = (origins[row, ray, axis] - bounds[row, 0, axis]) * scale - ONE
        step[axis] = directions[row, ray, axis] * scale


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _cells(value, last):
    """Left samples and shares of the right ones, of coordinates in [-1, 1] on samples 0 to `last`."""
    position = clamp((value + ONE) * HALF, ZERO, ONE) * last
    left = clamp(floor(position), ZERO, last - ONE)
    return left, position - left


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _store_corners(first, across, down, side, plane, at, stride, lines, shares):
    both, place = across * down, 4 * plane * stride + at
    store_whole(lines, place, first)
    store_whole(lines, place + stride, first + ONE)
    store_whole(lines, place + 2 * stride, first + side)
    store_whole(lines, place + 3 * stride, first + (side + ONE))
    store(shares, place, ONE - across - down + both)
    store(shares, place + stride, across - both)
    store(shares, place + 2 * stride, down - both)
    store(shares, place + 3 * stride, both)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def find_texels(x, y, z, side, at, stride, lines, shares):
    """Lines (12, stride; int32) of a table of planes XY, XZ, YZ that 16 points read, from `at` on, and their shares.

    A line is one texel's features. Their numbers are computed in float32: exact for planes of up to 2048 x 2048.
    """
    width = np.float32(side)
    column, right = _cells(x, width - ONE)
    line, along = _cells(y, width - ONE)
    level, up = _cells(z, width - ONE)
    _store_corners(line * width + column, right, along, width, 0, at, stride, lines, shares)
    _store_corners((level + width) * width + column, right, up, width, 1, at, stride, lines, shares)
    # y runs along the columns of plane YZ
    _store_corners((level + TWO * width) * width + line, along, up, width, 2, at, stride, lines, shares)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def gather(texels, table, size, at, count, stride, lines, shares, features, to):
    """features (to F ...) = weighted sum of `count` lines (a multiple of four) of a table that begins at `table`."""
    for block in range(0, size, LANES):
        total_of, other = splat(ZERO), splat(ZERO)
        for k in range(0, count, FOUR):
            i = k * stride + at
            upper = splat(shares[i]) * load(texels, (table + lines[i]) * size + block)
            lower = splat(shares[i + stride]) * load(texels, (table + lines[i + stride]) * size + block)
            i += 2 * stride
            upper = multiply_add(splat(shares[i]), load(texels, (table + lines[i]) * size + block), upper)
            i += stride
            lower = multiply_add(splat(shares[i]), load(texels, (table + lines[i]) * size + block), lower)
            total_of, other = other, total_of + (upper + lower)
        store(features, to * size + block, total_of + other)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def scatter(gradient, from_, size, at, count, stride, lines, shares, texels, table):
    """Add a gradient (from_ F ...) of `size` features to `count` lines of a table that begins at `table`."""
    for k in range(count):
        share, place = splat(shares[k * stride + at]), (table + lines[k * stride + at]) * size
        for block in range(0, size, LANES):
            value = load(gradient, from_ * size + block)
            store(texels, place + block, multiply_add(share, value, load(texels, place + block)))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def hidden_units(features, weight, bias, bias_at, size, width, to, hidden):
    """hidden (to H ...) = ReLU(features (to F ...) @ weight (F, H) + bias (bias_at ...)) of four samples."""
    for block in range(0, width, PAIR):
        left, right = load(bias, bias_at + block), load(bias, bias_at + block + LANES)
        a, b, c, d = left, left, left, left
        e, f, g, h = right, right, right, right
        for i in range(size):
            left, right = load(weight, i * width + block), load(weight, i * width + block + LANES)
            place = to * size + i
            one, two = splat(features[place]), splat(features[place + size])
            three, four = splat(features[place + 2 * size]), splat(features[place + 3 * size])
            a, e = multiply_add(one, left, a), multiply_add(one, right, e)
            b, f = multiply_add(two, left, b), multiply_add(two, right, f)
            c, g = multiply_add(three, left, c), multiply_add(three, right, g)
            d, h = multiply_add(four, left, d), multiply_add(four, right, h)
        place = to * width + block
        for left, right in ((a, e), (b, f), (c, g), (d, h)):
            store(hidden, place, where_positive(left, left))
            store(hidden, place + LANES, where_positive(right, right))
            place += width


@njit(fastmath=True, forceinline=True, error_model="numpy")
def back_to_features(gradient, weight, width, size, to, features):
    """features (4, G) = gradient of the hidden layer (to H ...) of four samples @ weight (H, G)."""
    for block in range(0, size, LANES):
        a, b, c, d = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
        e, f, g, h = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
        for j in range(0, width, 2):
            even, odd = load(weight, j * size + block), load(weight, j * size + size + block)
            i = to * width + j
            a, e = multiply_add(splat(gradient[i]), even, a), multiply_add(splat(gradient[i + 1]), odd, e)
            i += width
            b, f = multiply_add(splat(gradient[i]), even, b), multiply_add(splat(gradient[i + 1]), odd, f)
            i += width
            c, g = multiply_add(splat(gradient[i]), even, c), multiply_add(splat(gradient[i + 1]), odd, g)
            i += width
            d, h = multiply_add(splat(gradient[i]), even, d), multiply_add(splat(gradient[i + 1]), odd, h)
        store(features, block, a + e)
        store(features, block + size, b + f)
        store(features, block + 2 * size, c + g)
        store(features, block + 3 * size, d + h)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def output(hidden, to, weight, row, width, values, place):
    """values (place ...) = hidden (to H ...) @ weight (row H ...) of four samples."""
    a, b, c, d = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
    for block in range(0, width, LANES):
        factor, at = load(weight, row * width + block), to * width + block
        a = multiply_add(load(hidden, at), factor, a)
        b = multiply_add(load(hidden, at + width), factor, b)
        c = multiply_add(load(hidden, at + 2 * width), factor, c)
        d = multiply_add(load(hidden, at + 3 * width), factor, d)
    values[place], values[place + 1], values[place + 2], values[place + 3] = total(a), total(b), total(c), total(d)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def values_of(
    texels, table, size, hidden_weight, hidden_bias, bias_at, width, seen_weight, outputs,
    lines, shares, counts, at, count, stride, keep, features, hidden, values,
):  # fmt: skip
    """values (outputs, stride), without their bias, of up to 16 samples from `at` on, of `count` in all.

    Each is read from as many lines of the table as `counts` says.

    Features and hidden units of samples stay where they are if `keep`, else those of the last four.
    """
    for four in range(at, min(at + LANES, count), FOUR):
        to = four if keep else 0
        for k in range(FOUR):
            gather(texels, table, size, four + k, counts[four + k], stride, lines, shares, features, to + k)
        hidden_units(features, hidden_weight, hidden_bias, bias_at, size, width, to, hidden)
        for row in range(outputs):
            output(hidden, to, seen_weight, row, width, values, row * stride + four)


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
