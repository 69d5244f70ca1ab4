"""Guided samples against a loop from the definition, and the compiled form against the plain one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.cameras import Rays
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Field, Samples
from manyfields.fields.compositing import OPAQUE
from manyfields.rendering import Sampler, guide_of, render
from manyfields.rendering.guided import guided_samples

BOUNDS = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]]])


def some_rays(seed: int, count: int = 40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    origins = torch.nn.functional.normalize(torch.randn(2, count, 3, generator=generator, dtype=dtype), dim=-1) * 2.7
    aims = 0.4 * torch.randn(2, count, 3, generator=generator, dtype=dtype)
    return origins, torch.nn.functional.normalize(aims - origins, dim=-1)


def smooth_guide(side: int = 13, dtype=torch.float64):
    """A soft ball in each box, 0 from some way out: neighbouring cells differ little, so rounding moves little."""
    axis = (torch.arange(side, dtype=dtype) + 0.5) / side * 2 - 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    square = x**2 + y**2 + z**2
    return torch.stack([8 * torch.exp(-2 * square) * (square < 0.8), 30 * torch.exp(-3 * square) * (square < 0.5)])


def slow_ray(origin, direction, box, guide, offsets, bins, spread):
    """Distances and lengths of one ray, bin by bin, from the description in rendering/guided.py."""
    with np.errstate(divide="ignore"):
        slabs = (box - origin) / direction
    near, far = max(slabs.min(0).max(), 0.0), slabs.max(0).min()
    count = len(offsets)
    if far <= near:
        return np.zeros(count), np.zeros(count), False
    width = (far - near) / bins
    side = guide.shape[0]
    density = []
    for k in range(bins):
        point = origin + (near + (k + 0.5) * width) * direction
        cell = np.clip(((point - box[0]) / (box[1] - box[0]) * side).astype(int), 0, side - 1)
        density.append(guide[tuple(cell)])
    density = np.array(density)
    filled = density > 0
    if not filled.any():
        return np.zeros(count), np.zeros(count), False
    passed = np.concatenate([[0], np.cumsum(density * width)[:-1]])
    weights = np.where(passed < OPAQUE, np.exp(-passed) * (1 - np.exp(-density * width)), 0)
    padded = np.pad(weights, 1)
    widened = np.maximum(np.maximum(padded[:-2], padded[2:]), weights)
    mass = (widened + spread * (weights.sum() + 1e-3) / filled.sum()) * filled
    cumulated = np.concatenate([[0], np.cumsum(mass)])
    reached = np.concatenate([[0], np.cumsum(width * filled)])
    edges = near + width * np.arange(bins + 1)
    quantiles = (np.arange(count) + offsets) / count * cumulated[-1]
    ends = np.arange(count + 1) / count * cumulated[-1]
    # Flat stretches of the sum are left out, so that numpy's interpolation inverts it.
    keep = np.concatenate([filled, [False]]) | np.concatenate([[False], filled])
    rising = np.concatenate([[True], np.diff(cumulated[keep]) > 0])
    lengths = np.diff(np.interp(ends, cumulated[keep][rising], reached[keep][rising]))
    distances = []
    for value in quantiles:
        k = min(max(int(np.searchsorted(cumulated, value)) - 1, 0), bins - 1)
        distances.append(edges[k] + width * (value - cumulated[k]) / mass[k])
    return np.array(distances), lengths, True


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.sampled_from([7, 48]), st.sampled_from([0.02, 0.5]))
def test_equals_the_slow_loop(seed, count, bins, spread):
    origins, directions = some_rays(seed)
    guide = smooth_guide()
    offsets = torch.rand(2, 40, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    bounds = BOUNDS.double()
    found = guided_samples(origins, directions, bounds, guide, offsets, bins=bins, spread=spread)
    for row in range(2):
        for ray in range(40):
            inputs = (origins[row, ray], directions[row, ray], bounds[row], guide[row], offsets[row, ray])
            distances, lengths, hits = slow_ray(*(tensor.numpy() for tensor in inputs), bins, spread)
            assert bool(found[2][row, ray]) == hits
            np.testing.assert_allclose(found[0][row, ray].numpy(), distances, atol=1e-9)
            np.testing.assert_allclose(found[1][row, ray].numpy(), lengths, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12), st.sampled_from([8, 48]))
def test_the_compiled_form_equals_the_plain_one(seed, count, bins):
    pytest.importorskip("numba")
    origins, directions = some_rays(seed, 200, torch.float32)
    guide = smooth_guide(dtype=torch.float32)
    offsets = torch.rand(2, 200, count, generator=torch.Generator().manual_seed(seed))
    fast = guided_samples(origins, directions, BOUNDS, guide, offsets, bins=bins, spread=0.1)
    exact = (tensor.double() for tensor in (origins, directions, BOUNDS, guide, offsets))
    plain = guided_samples(*exact, bins=bins, spread=0.1)
    # A bin whose middle lies on the border of two cells may read either: such rays are few.
    same = ((fast[0] - plain[0]).abs() < 1e-3).all(-1) & ((fast[1] - plain[1]).abs() < 1e-3).all(-1)
    assert float((same & (fast[2] == plain[2])).float().mean()) > 0.95


def test_lengths_add_up_to_the_filled_part_of_the_ray():
    origins, directions = torch.tensor([[[-2.0, 0.01, 0.01]]]), torch.tensor([[[1.0, 0.0, 0.0]]])
    guide = torch.zeros(1, 10, 10, 10)
    guide[0, 2:4] = 1.0
    guide[0, 7] = 50.0
    bounds = torch.tensor([[[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]])
    offsets = torch.rand(1, 1, 16, generator=torch.Generator().manual_seed(0))
    distances, lengths, hits = guided_samples(origins, directions, bounds, guide, offsets, bins=50, spread=0.1)
    assert hits.all() and float(lengths.sum()) == pytest.approx(0.6, abs=1e-5)
    x = distances[0, 0] - 2.0
    assert bool((((x > -0.6) & (x < -0.2)) | ((x > 0.4) & (x < 0.6))).all())
    assert bool((distances.diff(dim=-1) >= 0).all())


def test_rays_that_meet_nothing_filled_cost_nothing():
    class Counting(Field):
        channels, points = 1, 0

        def __call__(self, points, directions=None):
            self.points += points.shape[1]
            return Samples(torch.ones(points.shape[:2]), torch.ones(*points.shape[:2], 1))

    guide = torch.zeros(1, 8, 8, 8)
    guide[0, :, :, :4] = 1.0  # the lower half
    bounds = torch.tensor([[[-0.5] * 3, [0.5] * 3]])
    heights = torch.linspace(-0.45, 0.45, 10)
    origins = torch.stack([torch.full((10,), -2.0), torch.full((10,), 0.1), heights], -1)[None]
    rays = Rays(origins, torch.tensor([1.0, 0.0, 0.0]).expand(1, 10, 3))
    field = Counting()
    seen = render(field, rays, Sampler(guided=6), bounds=bounds, guide=guide, background=torch.zeros(1))
    assert field.points == 5 * 6
    assert bool((seen.opacity[0, :5] > 0.5).all()) and bool((seen.opacity[0, 5:] == 0).all())
    # Density 1 over a chord of length 1, every sample standing for its part of it.
    torch.testing.assert_close(seen.opacity[0, :5], torch.full((5,), 1 - float(np.exp(-1.0))))
    nothing = render(field, rays, Sampler(), bounds=bounds, guide=torch.zeros_like(guide))
    assert not nothing.opacity.any() and nothing.channels.shape == (1, 10, 1)
    with pytest.raises(ValueError, match="give its bounds"):
        render(field, rays, Sampler(), guide=guide)


def test_a_guide_holds_the_densities_of_the_field_within_the_hull():
    config = FusedPlanesConfig(2, 3, 4, resolution=6, hidden=8, channels=3, space="rgb", span="box", hull=8)
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    field = family.field(family.new_codes(2, torch.Generator().manual_seed(1)), None, BOUNDS)
    hull = (torch.rand(2, 8, 8, 8, generator=torch.Generator().manual_seed(2)) > 0.5).to(torch.uint8)
    guide = guide_of(field, BOUNDS, hull)
    assert torch.equal(guide > 0, hull > 0)
    cell = torch.tensor([5, 2, 7])
    low, size = BOUNDS[:, 0], (BOUNDS[:, 1] - BOUNDS[:, 0]) / 8
    density = field((low + (cell + 0.5) * size)[:, None]).density[:, 0]
    free = guide_of(field, BOUNDS, None, 8)
    assert bool((free[:, 5, 2, 7] >= density - 1e-4).all())
    inside = hull > 0
    torch.testing.assert_close(guide[inside], free[inside])
