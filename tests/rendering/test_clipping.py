import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.rendering.clipping import clip_to_box, clip_to_sphere

few = settings(max_examples=10, deadline=None)


def random_rays(seed, count=300):
    rng = np.random.default_rng(seed)
    origins = rng.normal(size=(1, count, 3)) * 1.5
    directions = rng.normal(size=(1, count, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return torch.from_numpy(origins), torch.from_numpy(directions)


def assert_clips(origins, directions, near, far, inside):
    """Points between near and far are inside, points of the ray elsewhere are not."""
    distances = torch.linspace(0.0, 8.0, 801, dtype=torch.float64)
    points = origins[..., None, :] + distances[:, None] * directions[..., None, :]
    claimed = (distances > near[..., None] + 1e-6) & (distances < far[..., None] - 1e-6)
    denied = (distances < near[..., None] - 1e-6) | (distances > far[..., None] + 1e-6)
    truth = inside(points)
    assert truth[claimed].all() and not truth[denied].any()
    assert (near >= 0).all() and claimed.any()


@few
@given(st.integers(0, 10_000))
def test_between_near_and_far_a_ray_is_in_the_box(seed):
    origins, directions = random_rays(seed)
    bounds = torch.tensor([[[-0.3, -0.8, -0.5], [0.6, 0.4, 0.9]]], dtype=torch.float64)
    near, far = clip_to_box(origins, directions, bounds)
    assert_clips(origins, directions, near, far, lambda x: ((x > bounds[0, 0]) & (x < bounds[0, 1])).all(-1))


@few
@given(st.integers(0, 10_000))
def test_between_near_and_far_a_ray_is_in_the_sphere(seed):
    origins, directions = random_rays(seed)
    near, far = clip_to_sphere(origins, directions)
    assert_clips(origins, directions, near, far, lambda x: x.norm(dim=-1) < 1)


def test_rays_along_an_axis_hit_and_miss_the_box_without_nan():
    bounds = torch.tensor([[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]])
    origins = torch.tensor([[[0.0, 0.0, 2.0], [0.0, 0.7, 2.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]]])
    directions = torch.tensor([[[0.0, 0.0, -1.0], [0.0, 0.0, -1.0], [-0.0, -0.0, -1.0], [1.0, 0.0, 0.0]]])
    near, far = clip_to_box(origins, directions, bounds)
    assert torch.isfinite(near).all() and torch.isfinite(far).all()
    assert (far > near).tolist() == [[True, False, False, True]]  # beside it, and behind the origin: misses
    torch.testing.assert_close(near[0, [0, 3]], torch.tensor([1.5, 0.0]))
    torch.testing.assert_close(far[0, [0, 3]], torch.tensor([2.5, 0.5]))


def test_each_object_has_its_own_box():
    origins = torch.tensor([[[0.0, 0.0, 2.0]]]).repeat(2, 1, 1)
    directions = torch.tensor([[[0.0, 0.0, -1.0]]]).repeat(2, 1, 1)
    bounds = torch.tensor([[[-1.0, -1, -0.2], [1, 1, 0.2]], [[-1, -1, -0.6], [1, 1, 0.4]]])
    near, far = clip_to_box(origins, directions, bounds)
    torch.testing.assert_close(near.flatten(), torch.tensor([1.8, 1.6]))
    torch.testing.assert_close(far.flatten(), torch.tensor([2.2, 2.6]))


def test_chord_of_the_sphere_in_closed_form():
    for offset in (0.0, 0.6, 0.999, 1.0, 1.2):
        near, far = clip_to_sphere(torch.tensor([[[offset, 0.0, 2.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
        chord = 2 * math.sqrt(max(0.0, 1 - offset**2))
        assert abs((far - near).item() - chord) < 1e-3
        assert bool(far > near) == (offset < 1)
