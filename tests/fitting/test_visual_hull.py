"""The visual hull holds the object and little else; pixels inside it are those that may see it."""

import numpy as np
import pytest
import torch

from manyfields.fitting.bounds import box_from_silhouettes
from manyfields.fitting.visual_hull import pixels_inside, visual_hull

SIDE = 96


@pytest.fixture(scope="module")
def ball(shapes, cameras_of):
    poses = shapes.ring(24)
    shape = shapes.Shape("ball", (0.5, 0.5, 0.5), center=(0.1, -0.1, 0.0))
    rgba = np.stack([shapes.cast(shape, pose, SIDE) for pose in poses])
    return torch.from_numpy(rgba[..., 3].copy()), cameras_of(poses, SIDE)


def test_a_ball(ball):
    alpha, cameras = ball
    bounds = box_from_silhouettes(alpha, cameras, margin=0.0)
    hull = visual_hull(alpha, cameras, bounds, 24)
    axis = (torch.arange(24) + 0.5) / 24
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    away = (bounds[0] + corners * (bounds[1] - bounds[0]) - torch.tensor([0.1, -0.1, 0.0])).norm(dim=-1)
    assert bool((hull[away < 0.5] == 1).all())
    # Two pixels of margin are 0.045 here; no view from below leaves a little under the ball.
    assert float(hull[away > 0.6].float().mean()) < 0.05


def test_views_without_transparency_say_nothing(ball):
    alpha, cameras = ball
    full = torch.full_like(alpha, 255)
    bounds = torch.tensor([[-1.0] * 3, [1.0] * 3])
    assert bool((visual_hull(full, cameras, bounds, 8) == 1).all())
    assert pixels_inside(full) is None


def test_silhouettes_that_contradict_each_other_say_nothing(ball):
    alpha, cameras = ball
    alpha = alpha.clone()
    alpha[3] = 0
    alpha[3, 0, 0] = 255
    bounds = torch.tensor([[-0.4] * 3, [0.4] * 3])
    assert bool((visual_hull(alpha, cameras, bounds, 8) == 1).all())


def test_a_camera_that_sees_a_part_cuts_away_nothing_outside_its_view(ball):
    alpha, cameras = ball
    bounds = box_from_silhouettes(alpha, cameras, margin=0.0)
    whole = visual_hull(alpha, cameras, bounds, 16)
    left = visual_hull(alpha[..., : SIDE // 2], cameras.cropped(0, 0, SIDE // 2, SIDE), bounds, 16)
    assert bool((left >= whole).all())


def test_pixels_inside_are_the_silhouettes_and_two_pixels_around(ball):
    alpha, _ = ball
    numbers = pixels_inside(alpha)
    inside = torch.zeros(alpha.numel(), dtype=torch.bool)
    inside[numbers.long()] = True
    inside = inside.view_as(alpha)
    assert bool(inside[alpha > 5].all())
    for view, row, column in inside.nonzero()[::997].tolist():
        around = alpha[view, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        assert int(around.max()) >= 5
