"""The squared error of rendered pixels and its gradients in one walk along each ray, compiled by numba for CPUs.

Forward and backward of a ray follow each other while all that the backward pass needs (features, hidden units, what
passed) is still in first-level cache: of a sample nothing is written to memory but its share of the gradients.
"""

import numpy as np
from numba import njit, prange

from manyfields.rendering.fused_steps import (
    LOWER,
    ONE,
    OPAQUE,
    TWO,
    WIDER,
    ZERO,
    back_to_features,
    back_to_output,
    enter,
    exponential,
    find_corners,
    find_waves,
    gather,
    hidden_units,
    log1p,
    output,
    output_along,
    scatter,
)
from manyfields.simd import LANES, add, load, multiply, multiply_add, splat, store, where_positive

TOGETHER = 4  # samples whose outer products are added to the gradient of the hidden layer at once


@njit(fastmath=True, parallel=True, cache=True, nogil=True, error_model="numpy")
def march_loss(
    texels, side, rows, bounds, hidden_weight, hidden_bias, output_weight, output_bias, gain, rgb, harmonics,
    origins, directions, distances, lengths, colors, scales, background, parts,
    back_weight, losses, texels_gradient, hidden_gradient, output_gradient, bias_gradient,
):  # fmt: skip
    """Sums over rays of scale * squared error, and their gradients; the last five arrays (zeros) are written.

    Arguments as in `march`; colors (B, R, C), scales (B, R). `parts` of each object's rays are worked on side by side,
    each with gradients of its own: losses (B P); flat texels_gradient (B P, 3 side side, G) of the first G features,
    where back_weight is (H, G); flat hidden_gradient (B P, F + 1, H), whose last row is that of the bias;
    output_gradient (B P, K, H), bias_gradient (B P, K). The last three may be empty: then the decoder does not learn.
    """
    objects, rays, samples = distances.shape
    width, count, outputs = len(hidden_bias), colors.shape[2], len(output_bias)
    size, learned = len(hidden_weight) // width, len(back_weight) // width
    learn_decoder = len(hidden_gradient) > 0
    share = (rays + parts - 1) // parts
    for job in prange(objects * parts):
        row, begin = job // parts, (job % parts) * share
        table, back_table = rows[row] * 3 * side * side * size, job * 3 * side * side * learned
        # Of every sample of a ray; some rows more, which `_add_outer` reads as zeros.
        features = np.zeros((samples + TOGETHER) * size, np.float32)
        hidden = np.zeros((samples + TOGETHER) * width, np.float32)
        first, shares = np.zeros(samples * 3, np.int64), np.zeros(samples * 12, np.float32)
        weights, passes, slopes = np.zeros((3, samples), np.float32)
        values = np.zeros((samples, count), np.float32)
        start, step, waves = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(1 + harmonics, np.float32)
        seen_weight, seen_bias = np.zeros((1 + count) * width, np.float32), np.zeros(1 + count, np.float32)
        ray_weight, ray_bias = np.zeros((1 + count) * width, np.float32), np.zeros(1 + count, np.float32)
        color, error = np.zeros(count, np.float32), np.zeros(count, np.float32)
        back, back_features = np.zeros(1 + count, np.float32), np.zeros(learned, np.float32)
        loss = 0.0
        for ray in range(begin, min(rays, begin + share)):
            used = 0
            passed = ONE
            for channel in range(count):
                color[channel] = ZERO
            for sample in range(samples):
                length = lengths[row, ray, sample]
                if length <= ZERO:
                    continue
                if used == 0:
                    enter(origins, directions, ray, bounds, row, start, step)
                    find_waves(directions, row, ray, harmonics, waves)
                    output_along(waves, harmonics, output_weight, output_bias, count, width, seen_weight, seen_bias)
                distance = distances[row, ray, sample]
                x, y, z = start[0] + distance * step[0], start[1] + distance * step[1], start[2] + distance * step[2]
                find_corners(x, y, z, side, used, first, shares)
                gather(texels, table, size, side, used, first, shares, features)
                hidden_units(features, hidden_weight, hidden_bias, size, width, used, hidden)
                value = output(hidden, used, seen_weight, 0, width) + seen_bias[0] - ONE
                raised = exponential(-abs(value))
                density = gain * (max(value, ZERO) + log1p(raised))
                weight = passed * (ONE - exponential(-density * length))
                passed -= weight
                weights[used], passes[used] = weight, passed
                # How the optical depth of the sample changes with its value.
                slopes[used] = length * gain * (ONE if value > ZERO else raised) / (ONE + raised)
                for channel in range(count):
                    value = output(hidden, used, seen_weight, 1 + channel, width) + seen_bias[1 + channel]
                    if rgb:
                        value = ONE / (ONE + exponential(-value))
                        color[channel] += weight * (WIDER * value - LOWER)
                    else:
                        color[channel] += weight * value
                    values[used, channel] = value
                used += 1
                if passed < OPAQUE:
                    break
            behind = ZERO  # what the loss gains from all that is seen behind a sample
            for channel in range(count):
                error[channel] = color[channel] + passed * background[channel] - colors[row, ray, channel]
                loss += scales[row, ray] * error[channel] * error[channel]
                error[channel] *= TWO * scales[row, ray]
                behind += passed * error[channel] * background[channel]
            if used == 0:
                continue
            for at in range(used - 1, -1, -1):
                weight, seen = weights[at], ZERO
                for channel in range(count):
                    value = values[at, channel]
                    if rgb:
                        seen += error[channel] * (WIDER * value - LOWER)
                        back[1 + channel] = weight * error[channel] * WIDER * value * (ONE - value)
                    else:
                        seen += error[channel] * value
                        back[1 + channel] = weight * error[channel]
                back[0] = (passes[at] * seen - behind) * slopes[at]
                behind += weight * seen
                if learn_decoder:
                    _add_to_ray(back, hidden, at, width, ray_weight, ray_bias)
                _back_to_hidden(back, seen_weight, at, width, hidden)
                back_to_features(hidden, back_weight, width, learned, at, back_features)
                scatter(back_features, learned, side, at, first, shares, texels_gradient, back_table)
            if learn_decoder:
                at_weight, at_bias = job * outputs * width, job * outputs
                back_to_output(
                    ray_weight, ray_bias, waves, harmonics, count, width,
                    output_gradient, at_weight, bias_gradient, at_bias,
                )  # fmt: skip
                for place in range(0, (1 + count) * width, LANES):
                    store(ray_weight, place, splat(ZERO))
                ray_bias[:] = ZERO
                for place in range(used * width, (used + TOGETHER) * width, LANES):
                    store(hidden, place, splat(ZERO))
                _add_outer(features, hidden, used, size, width, hidden_gradient, job * (size + 1) * width)
        losses[job] = loss


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _add_to_ray(back, hidden, at, width, weight, bias):
    """Add one sample to the gradient of the output layer of its ray."""
    for row in range(len(back)):
        bias[row] += back[row]
        factor = splat(back[row])
        for block in range(0, width, LANES):
            place = row * width + block
            store(weight, place, multiply_add(factor, load(hidden, at * width + block), load(weight, place)))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _back_to_hidden(back, seen_weight, at, width, hidden):
    """In the place of the hidden units of a sample, their gradient: 0 where they are 0."""
    for block in range(0, width, LANES):
        gradient = multiply(splat(back[0]), load(seen_weight, block))
        for row in range(1, len(back)):
            gradient = multiply_add(splat(back[row]), load(seen_weight, row * width + block), gradient)
        place = at * width + block
        store(hidden, place, where_positive(load(hidden, place), gradient))


@njit(fastmath=True, forceinline=True, error_model="numpy")
def _add_outer(features, hidden, count, size, width, gradient, table):
    """gradient (F, H) += features^T @ hidden of `count` samples; after it, one row: the sum of hidden."""
    for begin in range(0, count, TOGETHER):
        f, h = begin * size, begin * width
        for block in range(0, width, LANES):
            h0, h1 = load(hidden, h + block), load(hidden, h + width + block)
            h2, h3 = load(hidden, h + 2 * width + block), load(hidden, h + 3 * width + block)
            for i in range(size):
                place = table + i * width + block
                upper = multiply_add(splat(features[f + i]), h0, load(gradient, place))
                upper = multiply_add(splat(features[f + size + i]), h1, upper)
                lower = multiply(splat(features[f + 2 * size + i]), h2)
                lower = multiply_add(splat(features[f + 3 * size + i]), h3, lower)
                store(gradient, place, add(upper, lower))
            place = table + size * width + block
            store(gradient, place, add(load(gradient, place), add(add(h0, h1), add(h2, h3))))
