"""Points of a surface lie on it, one in each cell, and are all that the views see."""

import numpy as np
import pytest
import torch

import manyfields.families.octree.surface_points as surface_points
from manyfields.errors import ViewError
from manyfields.families.octree.surface_points import SurfacePoints, one_a_cell, points_of_depths, points_of_field
from manyfields.fields import Field, Samples
from manyfields.rendering import Sampler
from manyfields.views import read_views

CENTER, RADIUS = torch.tensor([0.1, -0.05, 0.0]), 0.5
CUBE = torch.tensor([[[-1.0] * 3, [1.0] * 3]])


@pytest.fixture(scope="module")
def ball(ball_with_depth):
    return read_views(ball_with_depth())[0]


def cells(points, level):
    return {tuple(cell) for cell in np.minimum((points.numpy() + 1) * 2.0 ** (level - 1), 2**level - 1).astype(int)}


def test_points_of_depths_lie_on_the_surface_one_a_cell(ball):
    points = points_of_depths(ball, range(16), 6)
    away = ((points - CENTER).norm(dim=-1) - RADIUS).abs()
    assert float(away.max()) < 1e-4  # depth is stored in ten-thousandths
    assert len(cells(points, 6)) == len(points)

    depths, rays = torch.from_numpy(ball.depths()).flatten(1), ball.cameras.rays()
    all_points = (rays.origins + depths.unsqueeze(-1) * rays.directions)[depths > 0]
    assert cells(points, 6) == cells(all_points, 6)


def test_it_does_not_matter_how_many_are_at_hand(ball, monkeypatch):
    whole = points_of_depths(ball, range(16), 5)
    monkeypatch.setattr(surface_points, "MERGE_AT", 100)
    monkeypatch.setattr(surface_points, "VIEWS_AT_ONCE", 1)
    assert torch.equal(points_of_depths(ball, range(16), 5), whole)
    assert len(cells(points_of_depths(ball, [3], 5), 5)) < len(whole)


def test_the_first_point_of_a_cell_stays_and_others_are_passed_over():
    points = torch.tensor([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1], [-1.0, -1, -1], [0.2, 0.3, 0.4], [1.0, 1, 1]])
    expected = torch.tensor([[-1.0, -1, -1], [0.9, 0.9, 0.9]])
    assert torch.equal(one_a_cell(points, 1), expected)
    found = SurfacePoints(1)
    assert found.points().shape == (0, 3)
    found.add(torch.cat([torch.tensor([[1.1, 0, 0], [torch.nan, 0, 0]]), points]))
    assert torch.equal(found.points(), expected)
    found.add(torch.tensor([[-0.5, -0.5, -0.5], [0.5, -0.5, -0.5]]))
    assert found.points().tolist() == [[-1, -1, -1], [0.5, -0.5, -0.5], expected[1].tolist()]


def test_no_depth_and_bad_depth(ball_with_depth, tiny_views):
    assert points_of_depths(tiny_views[0], [0, 1], 4) is None
    folder = ball_with_depth(views=3, side=16)
    (folder / "depth" / "001.png").unlink()
    with pytest.raises(ViewError, match="object ball, view rgba/001: no depth image"):
        points_of_depths(read_views(folder)[0], [0, 1, 2], 4)


class Ball(Field):
    """A dense ball that is clear outside."""

    channels = 3

    def __call__(self, points, directions=None):
        inside = (points - CENTER).norm(dim=-1) < RADIUS
        return Samples(inside * 60.0, torch.zeros_like(points))


@pytest.fixture(scope="module")
def guide():
    axis = (torch.arange(32) + 0.5) / 16 - 1
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return ((grid - CENTER).norm(dim=-1) < RADIUS + 0.06).float()[None] * 20.0


def test_points_of_a_field_lie_near_its_surface_and_cover_what_is_seen(ball, guide):
    def points(**options):
        given = {"guide": guide, "bounds": CUBE, "level": 6, **options}
        return points_of_field(Ball(), ball.cameras, Sampler(), **given)

    found = points(generator=torch.Generator().manual_seed(0))
    depth = RADIUS - (found - CENTER).norm(dim=-1)
    assert float(depth.min()) >= 0
    # Behind 0.05 a ray has passed an optical depth of 3; few samples stand for a stretch that begins before.
    assert float(depth.max()) < 0.2 and float(depth.quantile(0.9)) < 0.06
    assert len(cells(found, 6)) == len(found)
    gaps = torch.cdist(points_of_depths(ball, range(16), 4), found).amin(1)
    assert float(gaps.max()) < 0.12 and float(gaps.mean()) < 0.04

    again = points(generator=torch.Generator().manual_seed(0))
    assert torch.equal(found, again)
    assert not torch.equal(found, points(generator=torch.Generator().manual_seed(1)))
    assert torch.equal(points(), points())
    surer = points(generator=torch.Generator().manual_seed(0), threshold=0.3)
    assert 0 < len(surer) < len(found) and cells(surer, 6) <= cells(found, 6)


def test_fewer_rays_and_chosen_pixels(ball, guide, monkeypatch):
    def points(**options):
        given = {"guide": guide, "bounds": CUBE, "level": 6, **options}
        return points_of_field(Ball(), ball.cameras, Sampler(), **given)

    few = points(rays=500, generator=torch.Generator().manual_seed(0))
    assert 0 < len(few) < 500 * 12 and torch.equal(few, points(rays=500, generator=torch.Generator().manual_seed(0)))
    alpha = torch.from_numpy(ball.images()[..., 3])
    inside, outside = (alpha == 255).flatten().nonzero()[:, 0], (alpha == 0).flatten().nonzero()[:, 0]
    assert cells(points(pixels=inside), 6) == cells(points(), 6)
    assert len(points(pixels=outside.int())) == 0
    monkeypatch.setattr(surface_points, "RAYS_AT_ONCE", 999)
    assert torch.equal(points(pixels=inside), points(pixels=inside))
    assert cells(points(), 6) == cells(points(pixels=inside), 6)


def test_a_field_that_is_clear_has_no_points(ball, guide):
    class Clear(Ball):
        def __call__(self, points, directions=None):
            return Samples(torch.zeros(points.shape[:-1]), torch.zeros_like(points))

    assert points_of_field(Clear(), ball.cameras, Sampler(), guide=guide, bounds=CUBE, level=5).shape == (0, 3)
    assert points_of_field(Ball(), ball.cameras, Sampler(), guide=guide * 0, bounds=CUBE, level=5).shape == (0, 3)
