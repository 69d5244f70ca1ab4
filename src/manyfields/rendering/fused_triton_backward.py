"""The backward kernel of `fused_triton`: looks at a tile again, then walks from its rays back to planes and decoder.

Only inputs are kept between the two passes: to gather and multiply again is cheaper than to write a hundred numbers a
sample and read them back. A program takes tiles one after the other, so that what the decoder gets stays in registers
until its last; then it is written once a program, and summed in a fixed order.
"""

import triton
import triton.language as tl

from manyfields.rendering.fused_triton_kernels import (
    activation,
    channel_values,
    compositing,
    corners,
    density_value,
    hidden_units,
    hidden_weight_of,
    plane_sum,
    samples_of,
    softplus,
    through,
    value_rows,
    value_weight_of,
    waves_of,
)


@triton.jit
def _add(place, value, there, scale, fixed_point: tl.constexpr):
    """Add floats atomically: in any order, or as integers, whose sums do not depend on the order."""
    if fixed_point:
        steps = tl.floor(value * scale + 0.5).to(tl.int64)
        tl.atomic_add(place, steps, mask=there & (steps != 0), sem="relaxed")
    else:
        tl.atomic_add(place, value, mask=there & (value != 0.0), sem="relaxed")


@triton.jit
def _scatter(
    planes,
    value,
    row,
    plane: tl.constexpr,
    across,
    down,
    live,
    height,
    width,
    scale,
    tile: tl.constexpr,
    fixed_point: tl.constexpr,
):
    """Add (N, F) to the four corners of each point in one plane: the transpose of gathering."""
    cell, right, lower = corners(across, down, height, width)
    # Lanes of a warp shall add to neighbouring numbers. Were the compiler to see that these are neighbours, it would
    # give each thread two of them, as if atomics could take both at once, and every other number to a lane.
    feature = (tl.arange(0, tile.feature_block) * 3) // 3
    table = planes + (row * 3 + plane).to(tl.int64) * height * width * tile.features
    corner = table + (cell * tile.features)[:, None] + feature[None, :]
    there = live[:, None] & (feature < tile.features)[None, :]
    both = right * lower
    below = width * tile.features
    _add(corner, (1.0 - right - lower + both)[:, None] * value, there, scale, fixed_point)
    _add(corner + tile.features, (right - both)[:, None] * value, there, scale, fixed_point)
    _add(corner + below, (lower - both)[:, None] * value, there, scale, fixed_point)
    _add(corner + below + tile.features, both[:, None] * value, there, scale, fixed_point)


@triton.jit
def _compositing_backward(
    density, length, distance, channels, from_channels, from_opacity, from_depth, tile: tl.constexpr
):
    """From gradients of rays, a row each sample, to those of density (N), and of channels (N, C).

    weight_i = T_i (1 - exp(-o_i)) with T_i = exp(-sum_{j<i} o_j), so that d weight_i / d o_i = T_i exp(-o_i), and
    d weight_i / d o_j = -weight_i for every j before i.
    """
    weights, left = compositing(density, length, tile)
    far = tl.reshape(distance, (tile.rays, tile.sample_block))
    covered = tl.sum(weights, axis=1)[:, None]
    clamped = tl.maximum(covered, 1e-6)
    depth = tl.sum(weights * far, axis=1)[:, None] / clamped
    from_weights = (
        tl.reshape(tl.sum(from_channels * channels, axis=1) + from_opacity, (tile.rays, tile.sample_block))
        + tl.reshape(from_depth, (tile.rays, tile.sample_block))
        * (far - tl.where(covered < 1e-6, 0.0, depth))
        / clamped
    )
    shares = from_weights * weights
    behind = tl.cumsum(shares, axis=1, reverse=True) - shares
    from_optical = tl.reshape(from_weights * left - behind, (tile.count,))
    return from_optical * length, from_channels * tl.reshape(weights, (tile.count,))[:, None]


@triton.jit
def march_backward(
    planes,
    bounds,
    hidden_weight,
    hidden_bias,
    output_weight,
    output_bias,
    origins,
    directions,
    distances,
    lengths,
    from_channels,
    from_opacity,
    from_depth,
    to_planes,
    to_decoder,
    scale,
    objects,
    rays,
    height,
    width,
    tile: tl.constexpr,
    learn_planes: tl.constexpr,
    learn_decoder: tl.constexpr,
    fixed_point: tl.constexpr,
):
    """Tiles `program`, `program + programs` and so on.

    `to_planes`: like the planes, zeros, in int64 steps of 1 / `scale` with `fixed_point`. `to_decoder` (programs, all
    numbers of the decoder: hidden weight, hidden bias, output weight, output bias): written.
    """
    tiles = tl.cdiv(rays, tile.rays)
    steps_of_one = tl.load(scale) if fixed_point else 1.0
    sum_inner = tl.full((tile.hidden_block, tile.feature_block), 0.0, tl.float32)
    sum_inner_bias = tl.full((tile.hidden_block,), 0.0, tl.float32)
    sum_density = tl.full((tile.hidden_block,), 0.0, tl.float32)
    sum_density_bias = 0.0
    sum_outer = tl.full((tile.value_block, tile.hidden_block), 0.0, tl.float32)
    sum_outer_bias = tl.full((tile.value_block,), 0.0, tl.float32)

    for index in tl.range(tl.program_id(0), objects * tiles, tl.num_programs(0), disable_licm=True):
        row = index // tiles
        first = (index % tiles) * tile.rays
        ray, there, distance, length = samples_of(distances, lengths, row, first, rays, tile)
        live = length > 0.0
        if tl.max(live.to(tl.int32), axis=0) > 0:
            x, toward_x = through(origins, directions, bounds, row, ray, there, distance, rays, 0, tile)
            y, toward_y = through(origins, directions, bounds, row, ray, there, distance, rays, 1, tile)
            z, toward_z = through(origins, directions, bounds, row, ray, there, distance, rays, 2, tile)
            features = plane_sum(planes, row, x, y, z, live, height, width, tile)
            active = activation(hidden_units(features, hidden_weight_of(hidden_weight, tile), hidden_bias, tile), tile)
            value, density_weight = density_value(active, output_weight, output_bias, tile)
            waves = waves_of(toward_x, toward_y, toward_z, tile)
            seen = channel_values(active, value_weight_of(output_weight, tile), output_bias, waves, tile)
            if tile.rgb:
                squashed = tl.sigmoid(seen)
                seen = squashed * 1.002 - 0.001

            place = row.to(tl.int64) * rays + ray
            channel = tl.arange(0, tile.channel_block)
            to_seen = tl.load(
                from_channels + place[:, None] * tile.channels + channel[None, :],
                mask=there[:, None] & (channel < tile.channels)[None, :],
                other=0.0,
            )
            to_covered = tl.load(from_opacity + place, mask=there, other=0.0)
            to_far = tl.load(from_depth + place, mask=there, other=0.0)
            density = tile.gain * softplus(value - 1.0)
            to_density, to_seen = _compositing_backward(
                density, length, distance, seen, to_seen, to_covered, to_far, tile
            )
            if tile.rgb:
                to_seen *= 1.002 * squashed * (1.0 - squashed)
            to_density *= tile.gain * tl.sigmoid(value - 1.0)
            to_values = tl.reshape(to_seen[:, None, :] * waves[:, :, None], (tile.count, tile.value_block))

            to_active = tl.dot(to_values, value_weight_of(output_weight, tile), input_precision=tile.precision)
            to_active += to_density[:, None] * density_weight[None, :]
            # The slope of softplus, the sigmoid, is 1 - exp(-softplus).
            slope = tl.where(active > 0.0, 1.0, 0.0) if tile.relu else 1.0 - tl.exp(-active)
            to_hidden = to_active * slope
            if learn_decoder:
                sum_outer += tl.dot(tl.trans(to_values), active, input_precision=tile.precision)
                sum_outer_bias += tl.sum(to_values, axis=0)
                sum_density += tl.sum(to_density[:, None] * active, axis=0)
                sum_density_bias += tl.sum(to_density, axis=0)
                sum_inner += tl.dot(tl.trans(to_hidden), features, input_precision=tile.precision)
                sum_inner_bias += tl.sum(to_hidden, axis=0)
            if learn_planes:
                inner = tl.trans(hidden_weight_of(hidden_weight, tile))
                to_features = tl.dot(to_hidden, inner, input_precision=tile.precision)
                _scatter(to_planes, to_features, row, 0, x, y, live, height, width, steps_of_one, tile, fixed_point)
                _scatter(to_planes, to_features, row, 1, x, z, live, height, width, steps_of_one, tile, fixed_point)
                _scatter(to_planes, to_features, row, 2, y, z, live, height, width, steps_of_one, tile, fixed_point)

    if learn_decoder:
        outputs = 1 + tile.waves * tile.channels
        unit = tl.arange(0, tile.hidden_block)
        feature = tl.arange(0, tile.feature_block)
        entry, exists = value_rows(tile)
        known = unit < tile.hidden
        part = to_decoder + tl.program_id(0) * (tile.hidden * (tile.features + 1) + outputs * (tile.hidden + 1))
        tl.store(
            part + unit[:, None] * tile.features + feature[None, :],
            sum_inner,
            mask=known[:, None] & (feature < tile.features)[None, :],
        )
        part += tile.hidden * tile.features
        tl.store(part + unit, sum_inner_bias, mask=known)
        part += tile.hidden
        tl.store(part + unit, sum_density, mask=known)
        tl.store(part + entry[:, None] * tile.hidden + unit[None, :], sum_outer, mask=exists[:, None] & known[None, :])
        part += outputs * tile.hidden
        tl.store(part, sum_density_bias)
        tl.store(part + entry, sum_outer_bias, mask=exists)
