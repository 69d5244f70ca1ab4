"""Rays at rest: a walk through the cells that may hold something, in even steps, until no light passes any more.

    ray through the box -> leaps over cells without anything -> samples at even steps in the others
    -> a few at a time, the field says what is seen -> end where less than a thousandth passes

A step is a share of a cell, so a sample stands for the same stretch of every ray, long or short, grazing or not; most
rays that meet something end a few samples behind its surface. What is placed by guessed opacities instead
(`guided_samples`, for fitting, where every ray has the same number of samples) misses thin and grazed things.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.compiled import compiled_for
from manyfields.fields import Field
from manyfields.rendering.clipping import clip_to_box
from manyfields.rendering.occupancy import Occupancy

SEEN_THROUGH = 1e-3  # transmittance at which a ray ends
AT_ONCE = 16  # samples of a ray that a field is asked for at once, where the walk is not one kernel
RAYS_AT_ONCE = 65536


@torch.no_grad()
def walk(
    field: Field, rays: Rays, bounds: Float[Tensor, "B 2 3"], occupancy: Occupancy, across: int
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Channels without a background, opacity, and depth of rays (B, R), in steps of a box's side over `across`.

    Cells get a whole number of steps, so there may be a few more. Deterministic, and without gradients.
    """
    of_cell = -(-across // occupancy.leaps.shape[-1])
    whole = field.walk(rays.origins, rays.directions, bounds, occupancy.leaps, of_cell, SEEN_THROUGH)
    if whole is not None:
        return whole
    parts = []
    for first in range(0, rays.origins.shape[1], RAYS_AT_ONCE):
        part = slice(first, first + RAYS_AT_ONCE)
        some = replace(rays, origins=rays.origins[:, part], directions=rays.directions[:, part])
        parts.append(_plain(field, some, bounds, occupancy, of_cell))
    channels, opacity, depth = zip(*parts, strict=True)
    return torch.cat(channels, 1), torch.cat(opacity, 1), torch.cat(depth, 1)


def _plain(
    field: Field, rays: Rays, bounds: Tensor, occupancy: Occupancy, of_cell: int
) -> tuple[Tensor, Tensor, Tensor]:
    origins, directions = rays.origins, rays.directions
    channels = origins.new_zeros(*origins.shape[:2], field.channels)
    opacity, reached = origins.new_zeros(origins.shape[:2]), origins.new_zeros(origins.shape[:2])
    at = torch.zeros(origins.shape[:2], dtype=torch.int32, device=origins.device)
    while True:
        distances, lengths, at = next_samples(origins, directions, bounds, occupancy, of_cell, at, AT_ONCE)
        passed = 1.0 - opacity
        going = (lengths[..., 0] > 0) & (passed > SEEN_THROUGH)
        if not bool(going.any()):
            return channels, opacity, reached / opacity.clamp(min=1e-6)
        # The rays that go on are few after the first steps: only they are asked about.
        kept = torch.argsort(going.to(torch.uint8), dim=1, descending=True, stable=True)
        kept = kept[:, : int(going.sum(1).max())]
        lengths = lengths * going.unsqueeze(-1)
        axes, samples = kept.unsqueeze(-1).expand(-1, -1, 3), kept.unsqueeze(-1).expand(-1, -1, AT_ONCE)
        seen, filled, depth = field.march(
            origins.gather(1, axes), directions.gather(1, axes),
            distances.gather(1, samples), lengths.gather(1, samples),
        )  # fmt: skip
        share = passed.gather(1, kept)
        channels.scatter_add_(1, kept.unsqueeze(-1).expand_as(seen), share.unsqueeze(-1) * seen)
        opacity.scatter_add_(1, kept, share * filled)
        reached.scatter_add_(1, kept, share * filled * depth)


def next_samples(
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    bounds: Float[Tensor, "B 2 3"],
    occupancy: Occupancy,
    of_cell: int,
    at: Int[Tensor, "B R"],
    count: int,
) -> tuple[Float[Tensor, "B R S"], Float[Tensor, "B R S"], Int[Tensor, "B R"]]:
    """The next S = `count` samples of each ray from step `at` on: distances, lengths, and the step after them.

    A step is the stretch in which a ray passes 1 / `of_cell` of a cell along the axis that it passes fastest. Rays that
    have fewer samples left have lengths of 0 behind these.
    """
    if compiled_for(origins, directions, bounds):
        from manyfields.rendering.walking_kernels import place

        distances, lengths = (origins.new_zeros(*at.shape, count) for _ in range(2))
        inputs = [tensor.contiguous().numpy() for tensor in (origins, directions, bounds, occupancy.leaps)]
        after = at.to(torch.int32).clone(memory_format=torch.contiguous_format)
        place(*inputs, of_cell, after.numpy(), distances.numpy(), lengths.numpy())
        return distances, lengths, after
    return _next_plain(origins, directions, bounds, occupancy.leaps, of_cell, at, count)


def _next_plain(
    origins: Tensor, directions: Tensor, bounds: Tensor, leaps: Tensor, of_cell: int, at: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    near, far = clip_to_box(origins, directions, bounds)
    side = leaps.shape[-1]
    scale = side / (bounds[:, 1] - bounds[:, 0])
    start, step = (origins - bounds[:, None, 0]) * scale[:, None], directions * scale[:, None]
    stretch = 1.0 / (step.abs().amax(-1) * of_cell)
    steps = torch.where(far > near, ((far - near) / stretch).ceil(), torch.zeros_like(near)).long()
    distances, lengths = (origins.new_zeros(*at.shape, count + 1) for _ in range(2))
    found, at = torch.zeros_like(at, dtype=torch.int64), at.long()
    while bool((going := (at < steps) & (found < count)).any()):
        distance = near + (at + 0.5) * stretch
        cell = (start + distance.unsqueeze(-1) * step).long().clamp_(0, side - 1)
        flat = (cell[..., 0] * side + cell[..., 1]) * side + cell[..., 2]
        leap = leaps.flatten(1).gather(1, flat).long()
        taken = going & (leap == 0)
        # Rays that have nothing to write write to the place behind the last, which is cut off.
        place = torch.where(taken, found, count).unsqueeze(-1)
        distances.scatter_(-1, place, distance.unsqueeze(-1))
        lengths.scatter_(-1, place, stretch.unsqueeze(-1))
        found = found + taken
        at = at + torch.where(going, ((leap - 1) * of_cell).clamp(min=1), 0)
    return distances[..., :count], lengths[..., :count], at.to(torch.int32)
