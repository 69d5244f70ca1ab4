"""The box from silhouettes holds the object, and is not much larger."""

import numpy as np
import pytest
import torch

from manyfields.fitting.bounds import box_from_silhouettes
from manyfields.rendering.clipping import clip_to_box
from manyfields.views import read_views

CUBE = [[-1.0] * 3, [1.0] * 3]


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize(
    ("kind", "half", "center"),
    [
        ("box", (0.3, 0.5, 0.2), (0.0, 0.0, 0.0)),
        ("box", (0.15, 0.2, 0.4), (0.3, -0.2, 0.1)),
        ("box", (0.05, 0.5, 0.05), (0.0, 0.0, 0.0)),
        ("ball", (0.45, 0.45, 0.45), (0.0, 0.1, -0.2)),
    ],
)
def test_box_holds_the_object_and_is_not_much_larger(shapes, cameras_of, kind, half, center, side):
    poses = shapes.ring(40)
    shape = shapes.Shape(kind, half, center=center)
    alpha = torch.tensor(np.stack([shapes.cast(shape, pose, side)[..., 3] for pose in poses]))
    low, high = box_from_silhouettes(alpha, cameras_of(poses, side))
    true_low, true_high = torch.tensor(center) - torch.tensor(half), torch.tensor(center) + torch.tensor(half)
    assert (low <= true_low).all() and (high >= true_high).all()
    # The margin, the cell of the grid, and the silhouette that grows by a few pixels (a pixel spans 2 / side).
    slack = 0.1 + 2 / 32 + 6 / side + 0.1
    assert (true_low - low <= slack).all() and (high - true_high <= slack).all()


def test_views_without_transparency_give_the_whole_cube(shapes, cameras_of):
    alpha = torch.full((4, 16, 16), 255, dtype=torch.uint8)
    assert box_from_silhouettes(alpha, cameras_of(shapes.ring(4), 16)).tolist() == CUBE


def test_views_of_nothing_give_the_whole_cube(shapes, cameras_of):
    alpha = torch.zeros(4, 16, 16, dtype=torch.uint8)
    assert box_from_silhouettes(alpha, cameras_of(shapes.ring(4), 16)).tolist() == CUBE


def test_every_foreground_pixel_of_a_real_object_meets_the_box(shared):
    folder = next(iter(sorted((shared / "data" / "renders").rglob("transforms.json")))).parent
    views = read_views(folder)[0]
    alpha = torch.from_numpy(views.images()[..., 3])
    bounds = box_from_silhouettes(alpha, views.cameras)
    assert (bounds[1] - bounds[0]).prod() < 0.9 * 8
    rays = views.cameras.rays()
    near, far = clip_to_box(rays.origins, rays.directions, bounds.expand(len(alpha), 2, 3))
    inside = alpha.flatten(1) > 0
    assert inside.any() and bool((far > near)[inside].all())
