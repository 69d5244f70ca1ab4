"""Rays through fields to channels, opacity and depth; batched over objects."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.fields import Field
from manyfields.fields.compositing import composite, compositing_weights, stretch_lengths
from manyfields.rendering.clipping import clip_to_box, clip_to_sphere
from manyfields.rendering.guide import densities
from manyfields.rendering.guided import guided_samples
from manyfields.rendering.occupancy import Occupancy
from manyfields.rendering.sampling import Sampler, bin_edges, by_importance, draw_offsets, stratified
from manyfields.rendering.walking import walk
from manyfields.rendering.warping import warped

SPREAD = 0.1  # share of guided samples that look where the guide sees little: while fitting, and
SPREAD_AT_REST = 0.02  # when nothing is learned from them


@dataclass(frozen=True)
class Rendering:
    """What rays see: channels over the background, opacity in [0, 1], expected depth (distance along the ray).

    >>> seen = Rendering(torch.zeros(1, 5, 3), torch.ones(1, 5), torch.ones(1, 5))
    >>> seen.channels.shape
    torch.Size([1, 5, 3])
    """

    channels: Float[Tensor, "B R C"]
    opacity: Float[Tensor, "B R"]
    depth: Float[Tensor, "B R"]


def render(
    field: Field,
    rays: Rays,
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "B 2 3"] | None = None,
    guide: Float[Tensor, "B G G G"] | Occupancy | None = None,
    background: Float[Tensor, " C"] | None = None,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render B objects, each along its own R rays (origins and directions: (B, R, 3)).

    Rays are clipped to each object's box and to the unit sphere, and those that miss either cost nothing. With a
    `guide` (densities in the cells of the box, 0 where nothing can be) samples are placed by it within the box, and
    rays that meet nothing filled cost nothing. Samples are jittered by `generator`, and deterministic without one.
    Pictures that nothing is learned from take an `Occupancy` for the guide: rays walk through its cells (`walking`),
    without jitter and without gradients.
    Behind the object lies `background` (zeros when None). The depth of a ray that sees no object is 0.

    >>> from manyfields.cameras import orbit
    >>> from manyfields.fields.field import Field
    >>> from manyfields.fields.samples import Samples
    >>> class Ball(Field):
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         inside = points.norm(dim=-1) < 0.5
    ...         return Samples(100.0 * inside, torch.ones_like(points))
    >>> rays = orbit(1, width=9, height=9).rays()
    >>> seen = render(Ball(), rays, Sampler())
    >>> seen.opacity.view(9, 9)[4, 4] > 0.9, seen.opacity.view(9, 9)[0, 0] > 0.1
    (tensor(True), tensor(False))
    """
    rays = _as_fields_see(field, rays)
    if guide is not None and bounds is None:
        raise ValueError("a guide fills the box of an object: give its bounds")
    if isinstance(guide, Occupancy):
        assert bounds is not None
        seen = Rendering(*walk(field, rays, bounds, guide, sampler.across))
    elif guide is not None:
        assert bounds is not None
        seen = _render_guided(field, rays, sampler, bounds, guide, generator)
    else:
        seen = _render_unguided(field, rays, sampler, bounds, generator)
    if background is None:
        return seen
    return replace(seen, channels=seen.channels + (1.0 - seen.opacity).unsqueeze(-1) * background)


def _as_fields_see(field: Field, rays: Rays) -> Rays:
    """The rays in the space of the field's grids, where its bounds and guide are too: distances are those of there."""
    return rays if (maps := field.maps) is None else warped(rays, maps)


def _render_guided(
    field: Field, rays: Rays, sampler: Sampler, bounds: Tensor, guide: Tensor, generator: torch.Generator | None
) -> Rendering:
    distances, lengths, hits = _guided(rays, sampler, bounds, guide, generator)
    if field.in_one_go(sampler.guided, rays.origins, rays.directions):
        # Rays that meet nothing have samples of length 0, which cost it less than to sort them out.
        return Rendering(*field.march(rays.origins, rays.directions, distances, lengths))
    kept = _hits_first(hits)
    if kept.shape[1] == 0:
        return _nothing(field, rays)
    samples = kept.unsqueeze(-1).expand(-1, -1, sampler.guided)
    distances, lengths = distances.gather(1, samples), lengths.gather(1, samples)
    axes = kept.unsqueeze(-1).expand(-1, -1, 3)
    seen = field.march(rays.origins.gather(1, axes), rays.directions.gather(1, axes), distances, lengths)
    return _all_rays(*seen, kept, rays.origins.shape[1])


def _guided(
    rays: Rays, sampler: Sampler, bounds: Tensor, guide: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    offsets = draw_offsets(rays.origins.new_empty(*rays.origins.shape[:2], sampler.guided), generator)
    spread = SPREAD if generator is not None else SPREAD_AT_REST
    return guided_samples(rays.origins, rays.directions, bounds, guide, offsets, bins=sampler.bins, spread=spread)


def color_error(
    field: Field,
    rays: Rays,
    colors: Float[Tensor, "B R C"],
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "B 2 3"],
    guide: Float[Tensor, "B G G G"] | None,
    background: Float[Tensor, " C"],
    weights: Float[Tensor, "B R"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Mean squared error of rendered rays, each weighted (1 when None); arguments as in `render`.

    With a guide this takes the fused form. The background does not learn.

    >>> from manyfields.cameras import orbit
    >>> from manyfields.fields.field import Field
    >>> from manyfields.fields.samples import Samples
    >>> class Empty(Field):
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         return Samples(torch.zeros_like(points[..., 0]), torch.zeros_like(points))
    >>> rays, bounds = orbit(1, width=4, height=4).rays(), torch.tensor([[[-1.0, -1, -1], [1, 1, 1]]])
    >>> black, white = torch.zeros(1, 16, 3), torch.ones(3)
    >>> color_error(Empty(), rays, black, Sampler(), bounds=bounds, guide=None, background=white)
    tensor(1.)
    """
    scales = torch.ones_like(colors[..., 0]) if weights is None else weights
    if guide is None:
        seen = render(field, rays, sampler, bounds=bounds, background=background.detach(), generator=generator)
        return (scales.unsqueeze(-1) * (seen.channels - colors).square()).mean()
    rays = _as_fields_see(field, rays)
    distances, lengths, _ = _guided(rays, sampler, bounds, guide, generator)
    total = field.march_error(rays.origins, rays.directions, distances, lengths, colors, scales, background)
    return total / colors.numel()


def _render_unguided(
    field: Field, rays: Rays, sampler: Sampler, bounds: Tensor | None, generator: torch.Generator | None
) -> Rendering:
    near, far = clip_to_sphere(rays.origins, rays.directions)
    if bounds is not None:
        box_near, box_far = clip_to_box(rays.origins, rays.directions, bounds)
        near, far = torch.maximum(near, box_near), torch.minimum(far, box_far)
    kept = _hits_first(far > near)
    if kept.shape[1] == 0:
        return _nothing(field, rays)
    near, far = near.gather(1, kept), far.gather(1, kept)
    far = torch.maximum(near, far)
    axes = kept.unsqueeze(-1).expand(-1, -1, 3)
    seen, opacity, depth = _march(
        field, rays.origins.gather(1, axes), rays.directions.gather(1, axes), near, far, sampler, generator
    )
    return _all_rays(seen, opacity, depth, kept, rays.origins.shape[1])


def _nothing(field: Field, rays: Rays) -> Rendering:
    empty = rays.origins.new_zeros(rays.origins.shape[:2])
    return Rendering(empty.unsqueeze(-1).expand(-1, -1, field.channels), empty, empty)


def _all_rays(seen: Tensor, opacity: Tensor, depth: Tensor, kept: Tensor, count: int) -> Rendering:
    return Rendering(
        _put_back(seen, kept, count),
        _put_back(opacity.unsqueeze(-1), kept, count).squeeze(-1),
        _put_back(depth.unsqueeze(-1), kept, count).squeeze(-1),
    )


def _march(
    field: Field,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    sampler: Sampler,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, Tensor]:
    edges = bin_edges(near, far, sampler.stratified)
    distances = stratified(edges, generator)
    if not sampler.importance:
        return field.march(origins, directions, distances, stretch_lengths(distances, near, far))
    in_one_go = field.in_one_go(sampler.stratified + sampler.importance, origins)
    if in_one_go:
        points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
        density = densities(field, points.flatten(1, 2)).view(distances.shape)
    else:
        density, channels = _evaluate(field, origins, directions, distances)
    with torch.no_grad():
        weights = compositing_weights(density, stretch_lengths(distances, near, far))
        more = by_importance(edges, weights, sampler.importance, generator)
    if in_one_go:
        # Asking the fused form for the first samples again costs less than to carry them over.
        distances = torch.sort(torch.cat([distances, more], -1), dim=-1).values
        return field.march(origins, directions, distances, stretch_lengths(distances, near, far))
    more_density, more_channels = _evaluate(field, origins, directions, more)
    distances, order = torch.sort(torch.cat([distances, more], -1), dim=-1)
    density = torch.cat([density, more_density], -1).gather(-1, order)
    weights = compositing_weights(density, stretch_lengths(distances, near, far))
    # Weights are put in the order of the channels, not channels in the order of the ray: C times less to move.
    weights = torch.empty_like(weights).scatter(-1, order, weights)
    distances = torch.empty_like(distances).scatter(-1, order, distances)
    return composite(weights, torch.cat([channels, more_channels], -2), distances)


def _evaluate(field: Field, origins: Tensor, directions: Tensor, distances: Tensor) -> tuple[Tensor, Tensor]:
    objects, count, samples = distances.shape
    points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
    along = directions.unsqueeze(2).expand_as(points).reshape(objects, -1, 3)
    result = field(points.view(objects, -1, 3), along)
    return (
        result.density.view(objects, count, samples),
        result.channels.view(objects, count, samples, -1),
    )


def _hits_first(hits: Bool[Tensor, "B R"]) -> Tensor:
    """Indices (B, K) of rays, hits before misses, K = the most hits of any object."""
    order = torch.argsort(hits.to(torch.uint8), dim=1, descending=True, stable=True)
    return order[:, : int(hits.sum(1).max())]


def _put_back(values: Float[Tensor, "B K C"], kept: Tensor, count: int) -> Float[Tensor, "B R C"]:
    index = kept.unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return values.new_zeros(values.shape[0], count, values.shape[-1]).scatter(1, index, values)
