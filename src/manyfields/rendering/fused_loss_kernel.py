"""The squared error of rendered pixels and its gradients in one walk along each ray, compiled by numba for CPUs.

Forward and backward of a ray follow each other while all that the backward pass needs (features, hidden units, what
passed) is still in first-level cache: of a sample nothing is written to memory but its share of the gradients.
"""

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
    back_to_features,
    back_to_output,
    enter,
    find_texels,
    find_waves,
    keep_samples,
    output_along,
    scatter,
    values_of,
)
from manyfields.rendering.tree_steps import CORNERS, find_corner_lines
from manyfields.simd import LANES, load, multiply_add, splat, store, total, where_positive


@kernel(fastmath=True, parallel=True, error_model="numpy")
def march_loss(
    texels, tables, side, grid, children, corners, levels, bounds,
    hidden_weight, hidden_bias, bias_step, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, distances, lengths, colors, scales, background, parts, back_tables, back_lines, back_weight,
    losses, texels_gradient, hidden_gradient, ray_gradient, output_gradient, bias_gradient,
):  # fmt: skip
    """Sums over rays of scale * squared error, and their gradients; the last six arrays (zeros) are written.

    Arguments as in `march`; colors (B, R, C), scales (B, R). `parts` of each object's rays are worked on side by side,
    each with gradients of its own: losses (B P); flat texels_gradient (P, back_lines, G) of the first G features, where
    that of object b begins at line `back_tables` (B), and back_weight is (H, G); flat hidden_gradient (B P, F + 1, H),
    whose last row is that of the bias, ray_gradient (B, R, H) where each ray has a bias; output_gradient (B P, K, H),
    bias_gradient (B P, K). The last four may be empty: then the decoder does not learn.
    """
    objects, rays, samples = distances.shape
    outputs, all_outputs = 1 + colors.shape[2], len(output_bias)
    width, most = len(output_weight) // all_outputs, max(TEXELS, CORNERS * levels)
    size, learned = len(hidden_weight) // width, len(back_weight) // width
    learn_decoder = len(hidden_gradient) > 0
    share, steepness = (rays + parts - 1) // parts, np.float32(gain)
    stride = (samples + LANES - 1) // LANES * LANES
    for job in prange(objects * parts):
        row, begin = job // parts, (job % parts) * share
        table, back_table = tables[row], (job % parts) * back_lines + back_tables[row]
        cells = row * side * side * side
        # Of every sample of a ray:
        kept, stretches = np.zeros(stride, np.float32), np.zeros(stride, np.float32)
        lines, shares = np.zeros(most * stride, np.int32), np.zeros(most * stride, np.float32)
        counts = np.full(stride, TEXELS, np.int32)
        features, hidden = np.zeros(stride * size, np.float32), np.zeros(stride * width, np.float32)
        values, backs = np.zeros(outputs * stride, np.float32), np.zeros(outputs * stride, np.float32)
        weights, passes = np.zeros(stride, np.float32), np.zeros(stride, np.float32)
        slopes = np.zeros(stride, np.float32)
        start, step, waves = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(1 + harmonics, np.float32)
        seen_weight, seen_bias = np.zeros(outputs * width, np.float32), np.zeros(outputs, np.float32)
        ray_weight, ray_bias = np.zeros(outputs * width, np.float32), np.zeros(outputs, np.float32)
        color, error = np.zeros(outputs - 1, np.float32), np.zeros(outputs - 1, np.float32)
        back_features = np.zeros(FOUR * learned, np.float32)
        loss = 0.0
        for ray in range(begin, min(rays, begin + share)):
            count, used, passed = keep_samples(distances, lengths, row, ray, kept, stretches), 0, ONE
            if count > 0:
                enter(origins, directions, ray, bounds, row, start, step)
                find_waves(directions, row, ray, harmonics, waves)
                output_along(waves, harmonics, output_weight, output_bias, outputs - 1, width, seen_weight, seen_bias)
            bias_at = (row * rays + ray) * bias_step
            color[:] = ZERO
            for at in range(0, count, LANES):
                distance = load(kept, at)
                if levels == 0:
                    x, y = distance * step[0] + start[0], distance * step[1] + start[1]
                    find_texels(x, y, distance * step[2] + start[2], side, at, stride, lines, shares)
                for k in range(at, min(at + LANES, count) if levels else at):
                    x, y, z = start[0] + kept[k] * step[0], start[1] + kept[k] * step[1], start[2] + kept[k] * step[2]
                    counts[k] = find_corner_lines(
                        x, y, z, grid, children, corners, cells, side, levels, k, stride, lines, shares
                    )  # fmt: skip
                    stretches[k] *= np.float32(counts[k] > 0)
                values_of(
                    texels, table, size, hidden_weight, hidden_bias, bias_at, width, seen_weight, outputs,
                    lines, shares, counts, at, count, stride, True, features, hidden, values,
                )  # fmt: skip
                value = load(values, at) + (seen_bias[0] - ONE)
                _find_slopes(value, load(stretches, at) * steepness, at, weights, slopes)
                used, passed = _see_through(at, min(at + LANES, count), passed, weights, passes)
                weight = load(weights, at)
                for channel in range(1, outputs):
                    value = load(values, channel * stride + at) + seen_bias[channel]
                    if rgb:
                        value = sigmoid(value)
                    store(values, channel * stride + at, value)
                    seen = value * WIDER - LOWER if rgb else value
                    color[channel - 1] += total(weight * seen)
                if passed < OPAQUE:
                    break
            behind = ZERO  # what the loss gains from all that is seen behind a sample
            for channel in range(outputs - 1):
                error[channel] = color[channel] + passed * background[channel] - colors[row, ray, channel]
                loss += scales[row, ray] * error[channel] * error[channel]
                error[channel] *= TWO * scales[row, ray]
                behind += passed * error[channel] * background[channel]
            if used == 0:
                continue
            _back_to_values(error, rgb, used, stride, behind, values, weights, passes, slopes, backs)
            for at in range(0, used, FOUR):
                if learn_decoder:
                    _add_to_ray(backs, hidden, at, stride, width, ray_weight, ray_bias)
                _back_to_hidden(backs, seen_weight, at, stride, width, hidden)
                back_to_features(hidden, back_weight, width, learned, at, back_features)
                for k in range(min(FOUR, used - at)):
                    scatter(
                        back_features, k, learned, at + k, counts[at + k], stride, lines, shares,
                        texels_gradient, back_table,
                    )  # fmt: skip
            if learn_decoder:
                at_weight, at_bias = job * all_outputs * width, job * all_outputs
                back_to_output(
                    ray_weight, ray_bias, waves, harmonics, outputs - 1, width,
                    output_gradient, at_weight, bias_gradient, at_bias,
                )  # fmt: skip
                for place in range(0, outputs * width, LANES):
                    store(ray_weight, place, splat(ZERO))
                ray_bias[:] = ZERO
                if bias_step:
                    _sum_up(hidden, used, width, ray_gradient, bias_at)
                _add_outer(features, hidden, used, size, width, hidden_gradient, job * (size + 1) * width)
        losses[job] = loss


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _find_slopes(value, stretch, at, weights, slopes):
    """weights (16) = the opacities of samples, slopes (16) = how their optical depths change with their values."""
    raised, falling = softplus(value)
    store(weights, at, ONE - exponential(ZERO - raised * stretch))
    store(slopes, at, stretch * (falling + where_positive(value, ONE - falling)) / (falling + ONE))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _see_through(at, end, passed, weights, passes):
    """In the place of opacities weights, and what passes behind each sample; up to which sample anything is seen."""
    used = at
    while used < end and passed >= OPAQUE:
        weights[used] *= passed
        passed -= weights[used]
        passes[used] = passed
        used += 1
    for k in range(used, at + LANES):
        weights[k] = ZERO
    return used, passed


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _back_to_values(error, rgb, used, stride, behind, values, weights, passes, slopes, backs):
    """backs (1 + C, stride) = gradients of the values of a ray's samples, 0 behind those that are seen."""
    for at in range(0, used, LANES):
        weight, seen = load(weights, at), splat(ZERO)
        for channel in range(len(error)):
            place = (1 + channel) * stride + at
            value = load(values, place)
            if rgb:
                seen = seen + (value * WIDER - LOWER) * error[channel]
                store(backs, place, weight * value * (ONE - value) * (error[channel] * WIDER))
            else:
                seen = seen + value * error[channel]
                store(backs, place, weight * error[channel])
        store(backs, at, seen)
    for at in range(used, (used + FOUR - 1) // FOUR * FOUR):
        backs[at] = ZERO
    for at in range(used - 1, -1, -1):
        seen = backs[at]
        backs[at] = (passes[at] * seen - behind) * slopes[at]
        behind += weights[at] * seen


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _add_to_ray(backs, hidden, at, stride, width, weight, bias):
    """Add four samples to the gradient of the output layer of their ray."""
    for row in range(len(bias)):
        i = row * stride + at
        bias[row] += backs[i] + backs[i + 1] + backs[i + 2] + backs[i + 3]
        a, b, c, d = splat(backs[i]), splat(backs[i + 1]), splat(backs[i + 2]), splat(backs[i + 3])
        for block in range(0, width, LANES):
            place = at * width + block
            upper = multiply_add(a, load(hidden, place), load(weight, row * width + block))
            upper = multiply_add(b, load(hidden, place + width), upper)
            lower = c * load(hidden, place + 2 * width)
            lower = multiply_add(d, load(hidden, place + 3 * width), lower)
            store(weight, row * width + block, upper + lower)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _back_to_hidden(backs, seen_weight, at, stride, width, hidden):
    """In the place of the hidden units of four samples, their gradients: 0 where they are 0."""
    outputs = len(backs) // stride
    for block in range(0, width, LANES):
        a, b, c, d = splat(ZERO), splat(ZERO), splat(ZERO), splat(ZERO)
        for row in range(outputs):
            i, factor = row * stride + at, load(seen_weight, row * width + block)
            a, b = multiply_add(splat(backs[i]), factor, a), multiply_add(splat(backs[i + 1]), factor, b)
            c, d = multiply_add(splat(backs[i + 2]), factor, c), multiply_add(splat(backs[i + 3]), factor, d)
        place = at * width + block
        for gradient in (a, b, c, d):
            store(hidden, place, where_positive(load(hidden, place), gradient))
            place += width


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _sum_up(hidden, count, width, sums, at):
    """sums (at H ...) = the sum of `hidden` over `count` samples."""
    for block in range(0, width, LANES):
        value = load(hidden, block)
        for k in range(1, count):
            value = value + load(hidden, k * width + block)
        store(sums, at + block, value)


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _add_outer(features, hidden, count, size, width, gradient, table):
    """gradient (F, H) += features^T @ hidden of `count` samples, by fours; after it, one row: the sum of hidden."""
    for begin in range(0, count, FOUR):
        f, h = begin * size, begin * width
        for block in range(0, width, LANES):
            h0, h1 = load(hidden, h + block), load(hidden, h + width + block)
            h2, h3 = load(hidden, h + 2 * width + block), load(hidden, h + 3 * width + block)
            for i in range(size):
                place = table + i * width + block
                upper = multiply_add(splat(features[f + i]), h0, load(gradient, place))
                upper = multiply_add(splat(features[f + size + i]), h1, upper)
                lower = splat(features[f + 2 * size + i]) * h2
                lower = multiply_add(splat(features[f + 3 * size + i]), h3, lower)
                store(gradient, place, upper + lower)
            place = table + size * width + block
            store(gradient, place, load(gradient, place) + (h0 + h1 + h2 + h3))
