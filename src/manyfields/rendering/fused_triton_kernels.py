"""The forward kernel of `fused_triton`, and the steps that it shares with the backward one.

    a tile: some rays of one object, with all their samples
      -> points (N) -> features (N, F) -> hidden units (N, H) -> density (N), values (N, waves * C)
      -> values times harmonics, summed -> channels (N, C) -> sums along each ray

The N samples of a tile are those of its rays, padded to a power of two. Features, hidden units, harmonics ("waves") and
channels are padded likewise: what pads them is masked, so it is 0 wherever it could be seen. `fused_triton.Tile` holds
all these sizes.
"""

import triton
import triton.language as tl


@triton.jit
def softplus(value):
    return tl.maximum(value, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(value)))


@triton.jit
def samples_of(distances, lengths, row, first, rays, tile: tl.constexpr):
    """For each sample of the tile: its ray, whether there is one, its distance and its length."""
    entry = tl.arange(0, tile.count)
    ray = first + entry // tile.sample_block
    sample = entry % tile.sample_block
    there = (ray < rays) & (sample < tile.samples)
    place = row.to(tl.int64) * rays * tile.samples + ray * tile.samples + sample
    length = tl.load(lengths + place, mask=there, other=0.0)
    return ray, there, tl.load(distances + place, mask=there, other=0.0), length


@triton.jit
def through(origins, directions, bounds, row, ray, there, distance, rays, axis: tl.constexpr, tile: tl.constexpr):
    """One axis of the points: where they are across the planes (0 to 1, clamped), and the direction of their rays."""
    place = row.to(tl.int64) * rays * 3 + ray * 3 + axis
    direction = tl.load(directions + place, mask=there, other=0.0)
    point = tl.load(origins + place, mask=there, other=0.0) + distance * direction
    if tile.box:
        low = tl.load(bounds + row * 6 + axis)
        high = tl.load(bounds + row * 6 + 3 + axis)
        point = (point - low) * (2.0 / (high - low)) - 1.0
    return (tl.minimum(tl.maximum(point, -1.0), 1.0) + 1.0) * 0.5, direction


@triton.jit
def corners(across, down, height, width):
    """The cell of a plane that points lie in, counted along its rows, and the shares of its right and lower side."""
    column = across * (width - 1)
    line = down * (height - 1)
    left = tl.minimum(column.to(tl.int32), width - 2)
    top = tl.minimum(line.to(tl.int32), height - 2)
    return top * width + left, column - left, line - top


@triton.jit
def _gather(planes, row, plane: tl.constexpr, across, down, live, height, width, tile: tl.constexpr):
    """Bilinear features (N, F) of one plane. A plane stays below 2^31 numbers; all planes together need not."""
    cell, right, lower = corners(across, down, height, width)
    feature = tl.arange(0, tile.feature_block)
    table = planes + (row * 3 + plane).to(tl.int64) * height * width * tile.features
    corner = table + (cell * tile.features)[:, None] + feature[None, :]
    there = live[:, None] & (feature < tile.features)[None, :]
    both = right * lower
    below = width * tile.features
    found = (1.0 - right - lower + both)[:, None] * tl.load(corner, mask=there, other=0.0).to(tl.float32)
    found += (right - both)[:, None] * tl.load(corner + tile.features, mask=there, other=0.0).to(tl.float32)
    found += (lower - both)[:, None] * tl.load(corner + below, mask=there, other=0.0).to(tl.float32)
    return found + both[:, None] * tl.load(corner + below + tile.features, mask=there, other=0.0).to(tl.float32)


@triton.jit
def plane_sum(planes, row, x, y, z, live, height, width, tile: tl.constexpr):
    """The sum over planes XY, XZ, YZ, as `plane_features`."""
    found = _gather(planes, row, 0, x, y, live, height, width, tile)
    found += _gather(planes, row, 1, x, z, live, height, width, tile)
    return found + _gather(planes, row, 2, y, z, live, height, width, tile)


@triton.jit
def hidden_weight_of(hidden_weight, tile: tl.constexpr):
    """(F, H)"""
    feature = tl.arange(0, tile.feature_block)[:, None]
    unit = tl.arange(0, tile.hidden_block)[None, :]
    there = (feature < tile.features) & (unit < tile.hidden)
    return tl.load(hidden_weight + unit * tile.features + feature, mask=there, other=0.0)


@triton.jit
def hidden_units(features, weight, hidden_bias, tile: tl.constexpr):
    """Hidden units (N, H) before their activation."""
    unit = tl.arange(0, tile.hidden_block)
    bias = tl.load(hidden_bias + unit, mask=unit < tile.hidden, other=0.0)
    return tl.dot(features, weight, input_precision=tile.precision) + bias[None, :]


@triton.jit
def activation(hidden, tile: tl.constexpr):
    return tl.maximum(hidden, 0.0) if tile.relu else softplus(hidden)


@triton.jit
def value_rows(tile: tl.constexpr):
    """The row of the decoder's output that each entry of (waves * C) is, and whether there is one."""
    value = tl.arange(0, tile.value_block)
    wave = value // tile.channel_block
    channel = value % tile.channel_block
    return 1 + wave * tile.channels + channel, (wave < tile.waves) & (channel < tile.channels)


@triton.jit
def value_weight_of(output_weight, tile: tl.constexpr):
    """(waves * C, H)"""
    value, there = value_rows(tile)
    unit = tl.arange(0, tile.hidden_block)
    place = value[:, None] * tile.hidden + unit[None, :]
    return tl.load(output_weight + place, mask=there[:, None] & (unit < tile.hidden)[None, :], other=0.0)


@triton.jit
def density_value(active, output_weight, output_bias, tile: tl.constexpr):
    """The first value of the decoder (N), in full precision whatever the products are in, and its weights (H)."""
    unit = tl.arange(0, tile.hidden_block)
    weight = tl.load(output_weight + unit, mask=unit < tile.hidden, other=0.0)
    return tl.sum(active * weight[None, :], axis=1) + tl.load(output_bias), weight


@triton.jit
def waves_of(x, y, z, tile: tl.constexpr):
    """(N, waves): 1, then the harmonics of `fused_planes.harmonics`."""
    wave = tl.arange(0, tile.wave_block)[None, :]
    x, y, z = x[:, None], y[:, None], z[:, None]
    first = tl.where(wave == 0, 1.0, tl.where(wave == 1, x, tl.where(wave == 2, y, z)))
    second = tl.where(wave == 4, x * y, tl.where(wave == 5, y * z, x * z))
    third = tl.where(wave == 7, 3.0 * z * z - 1.0, x * x - y * y)
    return tl.where(wave < 4, first, tl.where(wave < 7, second, third))


@triton.jit
def channel_values(active, weight, output_bias, waves, tile: tl.constexpr):
    """Channels (N, C) before they are squashed."""
    value, there = value_rows(tile)
    bias = tl.load(output_bias + value, mask=there, other=0.0)
    values = tl.dot(active, tl.trans(weight), input_precision=tile.precision) + bias[None, :]
    values = tl.reshape(values, (tile.count, tile.wave_block, tile.channel_block))
    return tl.sum(values * waves[:, :, None], axis=1)


@triton.jit
def compositing(density, length, tile: tl.constexpr):
    """Compositing weights (rays, samples), and the light that is left behind each sample."""
    optical = tl.reshape(density * length, (tile.rays, tile.sample_block))
    reached = tl.cumsum(optical, axis=1)
    return tl.exp(optical - reached) * (1.0 - tl.exp(-optical)), tl.exp(-reached)


@triton.jit
def march(
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
    channels,
    opacity,
    depth,
    rays,
    height,
    width,
    tile: tl.constexpr,
):
    """One tile. `channels`, `opacity` and `depth` come as zeros, and stay so where no sample has a length."""
    tiles = tl.cdiv(rays, tile.rays)
    row = tl.program_id(0) // tiles
    first = (tl.program_id(0) % tiles) * tile.rays
    ray, there, distance, length = samples_of(distances, lengths, row, first, rays, tile)
    live = length > 0.0
    if tl.max(live.to(tl.int32), axis=0) > 0:
        x, toward_x = through(origins, directions, bounds, row, ray, there, distance, rays, 0, tile)
        y, toward_y = through(origins, directions, bounds, row, ray, there, distance, rays, 1, tile)
        z, toward_z = through(origins, directions, bounds, row, ray, there, distance, rays, 2, tile)
        features = plane_sum(planes, row, x, y, z, live, height, width, tile)
        active = activation(hidden_units(features, hidden_weight_of(hidden_weight, tile), hidden_bias, tile), tile)
        value, _ = density_value(active, output_weight, output_bias, tile)
        waves = waves_of(toward_x, toward_y, toward_z, tile)
        seen = channel_values(active, value_weight_of(output_weight, tile), output_bias, waves, tile)
        if tile.rgb:
            seen = tl.sigmoid(seen) * 1.002 - 0.001

        weights, _ = compositing(tile.gain * softplus(value - 1.0), length, tile)
        seen *= tl.reshape(weights, (tile.count,))[:, None]
        seen = tl.sum(tl.reshape(seen, (tile.rays, tile.sample_block, tile.channel_block)), axis=1)
        covered = tl.sum(weights, axis=1)
        far = tl.sum(weights * tl.reshape(distance, (tile.rays, tile.sample_block)), axis=1)

        seen_ray = first + tl.arange(0, tile.rays)
        channel = tl.arange(0, tile.channel_block)
        place = row.to(tl.int64) * rays + seen_ray
        tl.store(opacity + place, covered, mask=seen_ray < rays)
        tl.store(depth + place, far / tl.maximum(covered, 1e-6), mask=seen_ray < rays)
        tl.store(
            channels + place[:, None] * tile.channels + channel[None, :],
            seen,
            mask=(seen_ray < rays)[:, None] & (channel < tile.channels)[None, :],
        )
