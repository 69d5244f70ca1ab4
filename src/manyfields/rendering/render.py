"""Rays through fields to channels, opacity and depth; batched over objects."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.cameras import Rays
from manyfields.fields import Field
from manyfields.rendering.clipping import clip_to_box, clip_to_sphere
from manyfields.rendering.compositing import compositing_weights, stretch_lengths
from manyfields.rendering.sampling import Sampler, bin_edges, by_importance, stratified


@dataclass(frozen=True)
class Rendering:
    """What rays see: channels over the background, opacity in [0, 1], expected depth (distance along the ray)."""

    channels: Float[Tensor, "B R C"]
    opacity: Float[Tensor, "B R"]
    depth: Float[Tensor, "B R"]


def render(
    field: Field,
    rays: Rays,
    sampler: Sampler,
    *,
    bounds: Float[Tensor, "B 2 3"] | None = None,
    background: Float[Tensor, " C"] | None = None,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render B objects, each along its own R rays (origins and directions: (B, R, 3)).

    Rays are clipped to each object's box and to the unit sphere, and those that miss either cost nothing. Samples are
    jittered by `generator`, and deterministic without one. Behind the object lies `background` (zeros when None). The
    depth of a ray that sees no object is 0.
    """
    near, far = clip_to_sphere(rays.origins, rays.directions)
    if bounds is not None:
        box_near, box_far = clip_to_box(rays.origins, rays.directions, bounds)
        near, far = torch.maximum(near, box_near), torch.minimum(far, box_far)
    hits = far > near
    kept = _hits_first(hits)
    objects, count = hits.shape
    if kept.shape[1] == 0:
        empty = torch.zeros_like(near)
        channels = near.new_zeros(objects, count, field.channels)
        return Rendering(channels if background is None else channels + background, empty, empty)

    near, far = near.gather(1, kept), far.gather(1, kept)
    far = torch.maximum(near, far)
    index = kept.unsqueeze(-1).expand(-1, -1, 3)
    seen, opacity, depth = _march(
        field, rays.origins.gather(1, index), rays.directions.gather(1, index), near, far, sampler, generator
    )
    channels = _put_back(seen, kept, count)
    opacity = _put_back(opacity.unsqueeze(-1), kept, count).squeeze(-1)
    depth = _put_back(depth.unsqueeze(-1), kept, count).squeeze(-1)
    if background is not None:
        channels = channels + (1.0 - opacity).unsqueeze(-1) * background
    return Rendering(channels, opacity, depth)


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
    density, channels = _evaluate(field, origins, directions, distances)
    if sampler.importance:
        with torch.no_grad():
            weights = compositing_weights(density, stretch_lengths(distances, near, far))
            more = by_importance(edges, weights, sampler.importance, generator)
        more_density, more_channels = _evaluate(field, origins, directions, more)
        distances, order = torch.sort(torch.cat([distances, more], -1), dim=-1)
        density = torch.cat([density, more_density], -1).gather(-1, order)
        weights = compositing_weights(density, stretch_lengths(distances, near, far))
        # Weights are put in the order of the channels, not channels in the order of the ray: C times less to move.
        weights = torch.empty_like(weights).scatter(-1, order, weights)
        distances = torch.empty_like(distances).scatter(-1, order, distances)
        channels = torch.cat([channels, more_channels], -2)
    else:
        weights = compositing_weights(density, stretch_lengths(distances, near, far))
    opacity = weights.sum(-1)
    with torch.autocast(weights.device.type, enabled=False):
        seen = (weights.unsqueeze(-2) @ channels).squeeze(-2)
    depth = (weights * distances).sum(-1) / opacity.clamp(min=1e-6)
    return seen, opacity, depth


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
