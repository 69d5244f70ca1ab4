"""`guided_samples` in one kernel for GPUs, in Triton: a few rays a program walk along their bins twice.

The first walk adds up the weights; the second, which knows their sum, places samples as it passes. Nothing in between
is stored. This module needs Triton: import it on use.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.fields.compositing import LEAST, OPAQUE

RAYS = 32  # of a program


def place_samples(
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    bounds: Float[Tensor, "B 2 3"],
    guide: Float[Tensor, "B G G G"],
    offsets: Float[Tensor, "B R S"],
    bins: int,
    spread: float,
) -> tuple[Float[Tensor, "B R S"], Float[Tensor, "B R S"], Bool[Tensor, "B R"]]:
    """Distances, lengths and hits, as `guided_samples` gives them, in float32."""
    objects, rays, samples = offsets.shape
    inputs = [tensor.detach().float().contiguous() for tensor in (origins, directions, bounds, guide, offsets)]
    distances, lengths = (torch.empty_like(inputs[-1]) for _ in range(2))
    hits = torch.empty(objects, rays, dtype=torch.bool, device=offsets.device)
    programs = objects * triton.cdiv(rays, RAYS)
    if programs and samples:
        sample_block = triton.next_power_of_2(samples)
        with torch.cuda.device_of(offsets):
            walk[(programs,)](
                *inputs,
                distances,
                lengths,
                hits,
                rays,
                bins,
                spread,
                opaque=OPAQUE,
                least=LEAST,
                side=guide.shape[-1],
                samples=samples,
                sample_block=sample_block,
                ray_block=RAYS,
                num_warps=max(1, min(4, sample_block // 16)),
                num_stages=1,
            )
    return distances, lengths, hits


@triton.jit
def _slab(origins, directions, bounds, row, ray, there, rays, axis: tl.constexpr, side: tl.constexpr):
    """Distances at which rays cross two faces of the box; in cells of the guide, where they start, and their steps."""
    place = row.to(tl.int64) * rays * 3 + ray * 3 + axis
    origin = tl.load(origins + place, mask=there, other=0.0)
    direction = tl.load(directions + place, mask=there, other=1.0)
    low = tl.load(bounds + row * 6 + axis)
    high = tl.load(bounds + row * 6 + 3 + axis)
    step = tl.where(tl.abs(direction) < 1e-12, 1e-12, direction)
    first = (low - origin) / step
    second = (high - origin) / step
    scale = side / (high - low)
    return tl.minimum(first, second), tl.maximum(first, second), (origin - low) * scale, direction * scale


@triton.jit
def _cell(place, side: tl.constexpr):
    return tl.minimum(tl.maximum(place, 0.0), side - 1.0).to(tl.int32)


@triton.jit
def _weight(guide, x, y, z, step_x, step_y, step_z, near, width, inside, k, passed, opaque, side: tl.constexpr):
    """Of bin `k`: its weight in a coarse compositing, whether it is filled, and the optical depth at its end."""
    distance = near + width * (k + 0.5)
    cell = _cell(x + distance * step_x, side) * side + _cell(y + distance * step_y, side)
    cell = cell * side + _cell(z + distance * step_z, side)
    density = tl.load(guide + cell, mask=inside, other=0.0)
    optical = density * width
    weight = tl.where(passed < opaque, tl.exp(-passed) * (1.0 - tl.exp(-optical)), 0.0)
    return weight, density > 0.0, passed + optical


@triton.jit
def walk(
    origins,
    directions,
    bounds,
    guide,
    offsets,
    distances,
    lengths,
    hits,
    rays,
    bins,
    spread,
    opaque: tl.constexpr,
    least: tl.constexpr,
    side: tl.constexpr,
    samples: tl.constexpr,
    sample_block: tl.constexpr,
    ray_block: tl.constexpr,
):
    """A block of rays of one object."""
    blocks = tl.cdiv(rays, ray_block)
    row = tl.program_id(0) // blocks
    ray = (tl.program_id(0) % blocks) * ray_block + tl.arange(0, ray_block)
    there = ray < rays
    near_x, far_x, x, step_x = _slab(origins, directions, bounds, row, ray, there, rays, 0, side)
    near_y, far_y, y, step_y = _slab(origins, directions, bounds, row, ray, there, rays, 1, side)
    near_z, far_z, z, step_z = _slab(origins, directions, bounds, row, ray, there, rays, 2, side)
    near = tl.maximum(tl.maximum(near_x, near_y), tl.maximum(near_z, 0.0))
    far = tl.minimum(far_x, tl.minimum(far_y, far_z))
    inside = there & (far > near)
    width = tl.where(inside, (far - near) / bins, 0.0)
    guide += row.to(tl.int64) * side * side * side
    nothing = tl.zeros((ray_block,), tl.float32)
    empty = nothing > 0.0

    # A bin counts with the largest weight of itself and its neighbours: so it is counted one step late.
    total, widened, count, passed = nothing, nothing, nothing, nothing
    before, weight, filled = nothing, nothing, empty
    for k in range(bins + 1):
        after, filled_after, passed = _weight(
            guide, x, y, z, step_x, step_y, step_z, near, width, inside & (k < bins), k, passed, opaque, side
        )
        total += weight
        widened += tl.where(filled, tl.maximum(tl.maximum(before, after), weight), 0.0)
        count += tl.where(filled, 1.0, 0.0)
        before, weight, filled = weight, after, filled_after
    even = spread * (total + least) / tl.maximum(count, 1.0)

    sample = tl.arange(0, sample_block)
    known = there[:, None] & (sample < samples)[None, :]
    place = (row.to(tl.int64) * rays + ray)[:, None] * samples + sample[None, :]
    share = ((widened + even * count) / samples)[:, None]
    start = sample.to(tl.float32)[None, :] * share
    end = (sample + 1).to(tl.float32)[None, :] * share
    wanted = (sample.to(tl.float32)[None, :] + tl.load(offsets + place, mask=known, other=0.0)) * share
    distance = near[:, None] + tl.zeros((ray_block, sample_block), tl.float32)
    length = tl.zeros((ray_block, sample_block), tl.float32)

    low, passed = nothing, nothing
    before, weight, filled = nothing, nothing, empty
    for k in range(bins + 1):
        after, filled_after, passed = _weight(
            guide, x, y, z, step_x, step_y, step_z, near, width, inside & (k < bins), k, passed, opaque, side
        )
        mass = tl.where(filled, tl.maximum(tl.maximum(before, after), weight) + even, 0.0)
        high = low + mass
        # The last filled bin that begins below a sample's weight is the one that the sample lies in.
        bottom, rise = low[:, None], tl.maximum(high - low, 1e-20)[:, None]
        within = tl.minimum((wanted - bottom) / rise, 1.0)
        here = (high > low)[:, None] & (wanted > bottom)
        distance = tl.where(here, near[:, None] + width[:, None] * (k - 1 + within), distance)
        overlap = tl.minimum(high[:, None], end) - tl.maximum(bottom, start)
        length += tl.maximum(overlap, 0.0) / rise * width[:, None]
        low = high
        before, weight, filled = weight, after, filled_after

    hit = count > 0.0
    tl.store(distances + place, tl.where(hit[:, None], distance, 0.0), mask=known)
    tl.store(lengths + place, tl.where(hit[:, None], length, 0.0), mask=known)
    tl.store(hits + (row.to(tl.int64) * rays + ray), hit, mask=there)
