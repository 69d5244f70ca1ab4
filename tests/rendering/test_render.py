"""Rendering against a loop over objects, rays and samples, written from the definitions in plain Python and numpy."""

import math

import numpy as np
import pytest
import torch

from manyfields.cameras import Rays
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Field, Samples
from manyfields.rendering import Sampler, color_error, render

BOUNDS = torch.tensor(
    [[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]], [[-0.1] * 3, [0.1] * 3]],
    dtype=torch.float64,
)
BACKGROUND = torch.tensor([0.3, -1.2], dtype=torch.float64)


class Blobs(Field):
    """An analytic field: one soft ball an object, in the channels a position and a direction."""

    channels = 2

    def __init__(self, gain: float = 6.0) -> None:
        self.gain = gain
        self.points_seen = 0

    def at(self, object_number, point, direction):
        centre = np.array([0.1, -0.2, 0.05]) * (object_number + 1)
        density = self.gain * math.exp(-8 * ((point - centre) ** 2).sum())
        return density, np.array([math.sin(3 * point[0] + point[1]), point[2] + 0.5 * direction[0]])

    def __call__(self, points, directions=None):
        self.points_seen += points.shape[1]
        objects = torch.arange(1, points.shape[0] + 1, dtype=points.dtype).view(-1, 1, 1)
        centre = objects * torch.tensor([0.1, -0.2, 0.05], dtype=points.dtype)
        density = self.gain * torch.exp(-8 * (points - centre).square().sum(-1))
        first = torch.sin(3 * points[..., 0] + points[..., 1])
        return Samples(density, torch.stack([first, points[..., 2] + 0.5 * directions[..., 0]], -1))


class Slab(Field):
    """Constant density and channels everywhere."""

    channels = 1

    def __init__(self, density):
        self.density = density

    def __call__(self, points, directions=None):
        return Samples(torch.full(points.shape[:2], self.density, dtype=points.dtype), torch.ones_like(points[..., :1]))


def some_rays(objects=3, count=14, seed=0, dtype=torch.float64):
    """Rays from outside towards the middle, some wide enough to miss; each object has its own share of hits."""
    rng = np.random.default_rng(seed)
    origins = rng.normal(size=(objects, count, 3))
    origins *= 2.2 / np.linalg.norm(origins, axis=-1, keepdims=True)
    targets = rng.normal(size=(objects, count, 3)) * np.linspace(0.05, 0.9, count)[:, None]
    directions = targets - origins
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return Rays(torch.from_numpy(origins).to(dtype), torch.from_numpy(directions).to(dtype))


def slow_clip(origin, direction, box):
    """Where a ray is in the sphere, and in the box if there is one: by intersecting intervals."""
    b = float(origin @ direction)
    discriminant = b * b - (float(origin @ origin) - 1)
    if discriminant <= 0:
        return None
    near, far = max(0.0, -b - math.sqrt(discriminant)), -b + math.sqrt(discriminant)
    if box is not None:
        for axis in range(3):
            t0, t1 = ((box[side, axis] - origin[axis]) / direction[axis] for side in (0, 1))
            near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
    return (near, far) if far > near else None


def slow_weights(distances, densities, near, far):
    edges = [near, *[(a + b) / 2 for a, b in zip(distances[:-1], distances[1:], strict=True)], far]
    passed, weights = 1.0, []
    for density, start, end in zip(densities, edges[:-1], edges[1:], strict=True):
        alpha = 1 - math.exp(-density * (end - start))
        weights.append(passed * alpha)
        passed *= 1 - alpha
    return weights


def slow_ray(field, number, origin, direction, box, sampler, background):
    clip = slow_clip(origin, direction, box)
    if clip is None:
        return background, 0.0, 0.0
    near, far = clip
    count = sampler.stratified
    edges = [near + (far - near) * i / count for i in range(count + 1)]
    distances = [(a + b) / 2 for a, b in zip(edges[:-1], edges[1:], strict=True)]
    if sampler.importance:
        densities = [field.at(number, origin + t * direction, direction)[0] for t in distances]
        weights = np.array(slow_weights(distances, densities, near, far))
        weights = weights + 1e-3 * weights.mean() + 1e-6
        cumulated = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])
        quantiles = (np.arange(sampler.importance) + 0.5) / sampler.importance
        distances = sorted([*distances, *np.interp(quantiles, cumulated, edges)])
    values = [field.at(number, origin + t * direction, direction) for t in distances]
    weights = slow_weights(distances, [density for density, _ in values], near, far)
    opacity = sum(weights)
    channels = sum(w * c for w, (_, c) in zip(weights, values, strict=True)) + (1 - opacity) * background
    depth = sum(w * t for w, t in zip(weights, distances, strict=True)) / max(opacity, 1e-6)
    return channels, opacity, depth


@pytest.mark.parametrize("importance", [0, 7])
@pytest.mark.parametrize("boxed", [True, False])
def test_equals_the_slow_loop(boxed, importance):
    rays, sampler, field = some_rays(), Sampler(6, importance), Blobs()
    bounds = BOUNDS if boxed else None
    seen = render(field, rays, sampler, bounds=bounds, background=BACKGROUND)
    missed = 0
    for b, r in np.ndindex(*rays.origins.shape[:2]):
        channels, opacity, depth = slow_ray(
            field,
            b,
            rays.origins[b, r].numpy(),
            rays.directions[b, r].numpy(),
            None if bounds is None else bounds[b].numpy(),
            sampler,
            BACKGROUND.numpy(),
        )
        np.testing.assert_allclose(seen.channels[b, r].numpy(), channels, atol=1e-9)
        np.testing.assert_allclose(seen.opacity[b, r].item(), opacity, atol=1e-9)
        np.testing.assert_allclose(seen.depth[b, r].item(), depth, atol=1e-9)
        missed += opacity == 0
    assert 0 < missed < seen.opacity.numel()


def test_rays_that_miss_see_the_background_and_cost_nothing():
    rays = some_rays(2, 5)
    away = Rays(rays.origins, -rays.directions)
    field = Blobs()
    seen = render(field, away, Sampler(4, 4), background=BACKGROUND)
    assert field.points_seen == 0
    assert torch.equal(seen.channels, BACKGROUND.expand(2, 5, 2))
    assert seen.opacity.eq(0).all() and seen.depth.eq(0).all()
    assert render(field, away, Sampler(4, 4)).channels.eq(0).all()


def test_packing_changes_nothing_and_saves_points():
    # Rendered together, objects are packed to the most hits of any; alone, each ray is packed to itself.
    rays, sampler = some_rays(seed=4), Sampler(5, 4)
    together = Blobs()
    seen = render(together, rays, sampler, bounds=BOUNDS, background=BACKGROUND)
    assert 0 < together.points_seen < 9 * rays.origins.shape[1]
    for r in range(rays.origins.shape[1]):
        alone = render(
            Blobs(),
            Rays(rays.origins[:, r : r + 1], rays.directions[:, r : r + 1]),
            sampler,
            bounds=BOUNDS,
            background=BACKGROUND,
        )
        torch.testing.assert_close(alone.channels[:, 0], seen.channels[:, r])
        torch.testing.assert_close(alone.opacity[:, 0], seen.opacity[:, r])
        torch.testing.assert_close(alone.depth[:, 0], seen.depth[:, r])


@pytest.mark.parametrize("density", [0.0, 0.7, 30.0])
@pytest.mark.parametrize("jitter", [False, True])
def test_a_constant_density_gives_the_closed_form(density, jitter):
    rays = some_rays(2, 9, seed=2)
    generator = torch.Generator().manual_seed(0) if jitter else None
    seen = render(Slab(density), rays, Sampler(4, 3), generator=generator, background=torch.zeros(1))
    middle = -(rays.origins * rays.directions).sum(-1)
    closest = (rays.origins + middle[..., None] * rays.directions).square().sum(-1)
    chord = 2 * (1 - closest).clamp(min=0).sqrt()
    torch.testing.assert_close(seen.opacity, 1 - torch.exp(-density * chord))
    torch.testing.assert_close(seen.channels[..., 0], seen.opacity)


def test_depth_of_a_wall_is_its_distance():
    rays = Rays(torch.tensor([[[0.0, 0.0, 2.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
    bounds = torch.tensor([[[-1.0, -1, -0.5], [1, 1, 0.25]]])
    seen = render(Slab(1e4), rays, Sampler(64, 64), bounds=bounds)
    assert abs(seen.depth.item() - 1.75) < 0.01 and abs(seen.opacity.item() - 1) < 1e-6


def test_deterministic_without_a_generator_and_with_the_same_seed():
    rays, sampler = some_rays(), Sampler(5, 5)

    def seen(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return render(Blobs(), rays, sampler, bounds=BOUNDS, generator=generator).channels

    assert torch.equal(seen(None), seen(None)) and torch.equal(seen(7), seen(7))
    assert not torch.equal(seen(7), seen(8)) and not torch.equal(seen(None), seen(7))
    state = torch.get_rng_state()
    seen(3)
    assert torch.equal(torch.get_rng_state(), state)  # the global random state is nobody's


def test_gradients_reach_codes_shared_part_and_background_and_are_finite():
    config = FusedPlanesConfig(micro_features=2, macro_features=3, base_planes=4, resolution=6, hidden=8, channels=2)
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    codes = family.new_codes(3, torch.Generator().manual_seed(1))
    for tensor in codes.tensors.values():
        tensor.requires_grad_()
    background = torch.zeros(2, requires_grad=True)
    rays = some_rays(dtype=torch.float32)
    seen = render(family.field(codes), rays, Sampler(6, 6), bounds=BOUNDS.float(), background=background)
    (seen.channels.sum() + seen.opacity.sum() + seen.depth.sum()).backward()
    parameters = [*codes.tensors.values(), *family.parameters(), background]
    for parameter in parameters:
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0


def test_density_outside_the_box_counts_for_nothing():
    # The optical depth is proportional to the height of the box.
    rays = Rays(torch.tensor([[[0.0, 0.0, 2.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
    for height in (0.8, 0.4):
        bounds = torch.tensor([[[-1.0, -1, 0.0], [1, 1, height]]])
        seen = render(Slab(2.0), rays, Sampler(4, 0), bounds=bounds)
        assert abs(seen.opacity.item() - (1 - math.exp(-2 * height))) < 1e-6


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_error_of_colours_is_the_mean_over_what_is_rendered(guided, weighted):
    rays, sampler = some_rays(), Sampler(5, 4, guided=6)
    generator = torch.Generator().manual_seed(0)
    colors = torch.rand(3, 14, 2, generator=generator, dtype=torch.float64)
    weights = torch.rand(3, 14, generator=generator, dtype=torch.float64) if weighted else None
    guide = torch.rand(3, 8, 8, 8, generator=generator, dtype=torch.float64) - 0.3 if guided else None
    options = {"bounds": BOUNDS, "guide": None if guide is None else guide.clamp(min=0.0), "background": BACKGROUND}

    def seeded():
        return torch.Generator().manual_seed(4)

    seen = render(Blobs(), rays, sampler, **options, generator=seeded())
    assert bool((seen.opacity == 0).any()) and bool((seen.opacity > 0.1).any())
    found = color_error(Blobs(), rays, colors, sampler, **options, weights=weights, generator=seeded())
    total = sum(
        (1.0 if weights is None else float(weights[b, r])) * float((seen.channels[b, r, c] - colors[b, r, c]) ** 2)
        for b, r, c in np.ndindex(3, 14, 2)
    )
    assert found.item() == pytest.approx(total / (3 * 14 * 2), rel=1e-9)


@pytest.mark.parametrize("guided", [True, False])
def test_the_background_of_an_error_does_not_learn(guided):
    config = FusedPlanesConfig(2, 3, 4, resolution=6, hidden=8, channels=3, space="rgb", activation="relu")
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    field = family.field(family.new_codes(3, torch.Generator().manual_seed(1)))
    rays, bounds = some_rays(dtype=torch.float32), BOUNDS.float()
    background = torch.ones(3, requires_grad=True)
    guide = torch.ones(3, 4, 4, 4) if guided else None
    colors = torch.zeros(3, 14, 3)
    color_error(field, rays, colors, Sampler(4, 4), bounds=bounds, guide=guide, background=background).backward()
    assert background.grad is None and family.output.weight.grad.abs().sum() > 0
