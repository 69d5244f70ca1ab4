import pytest
import torch
import torch.nn.functional as functional

from manyfields.cameras import Rays, orbit
from manyfields.families.tensor_planes.importance import importance_scores, splatted
from manyfields.rendering import Sampler, importance_pictures, importance_weights
from manyfields.rendering.seen_places import RAYS_AT_ONCE


def test_splatting_is_the_gradient_of_samples_of_ones(tensors):
    draw, resolution = tensors.generator(), (5, 6, 7)
    places = torch.rand(200, 3, generator=draw)
    places[:3] = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.5]])
    weights = torch.rand(200, generator=draw)
    found = splatted(places, weights, resolution)
    for plane, (row, column) in zip(found, ((1, 0), (2, 0), (2, 1)), strict=True):
        ones = torch.ones(1, 1, resolution[row], resolution[column], requires_grad=True)
        at = (2 * places[:, [column, row]] - 1).view(1, 1, -1, 2)
        sampled = functional.grid_sample(ones, at, align_corners=True).flatten()
        (weights * sampled).sum().backward()
        assert ones.grad is not None
        torch.testing.assert_close(plane, ones.grad[0, 0], atol=1e-5, rtol=1e-5)


def test_scores_are_where_rays_see_something(tensors):
    family = tensors.new_shared().family
    codes = tensors.column(family)
    count = RAYS_AT_ONCE + 5  # more than one part
    height = torch.linspace(-0.45, 0.45, count)
    origins = torch.stack([torch.full_like(height, -0.9), torch.zeros_like(height), height], -1)[None]
    rays = Rays(origins, torch.tensor([1.0, 0.0, 0.0]).expand_as(origins).contiguous())
    weights = torch.linspace(1.0, 2.0, count)
    guide = torch.ones(1, 8, 8, 8)
    bounds = codes.grids[0].box[None]
    field = family.field(codes)
    scores = importance_scores(field, rays, weights, Sampler(guided=48, bins=48), bounds=bounds, guide=guide)
    assert [tuple(plane.shape) for plane in scores] == [(12, 12)] * 3
    seen = scores[0].sum()
    for plane in scores[1:]:  # each ray leaves its opacity on each plane
        assert float(plane.sum()) == pytest.approx(float(seen), rel=1e-4)
    inside = (height.abs() < 0.35).sum()
    assert float(inside) < float(seen) < float(weights.sum())
    # The near side of the column, at y = 0, is all that rays from -x see.
    assert float(scores[0][5:7, :4].sum()) > 0.95 * float(seen)
    twice = importance_scores(field, rays, 2 * weights, Sampler(guided=48, bins=48), bounds=bounds, guide=guide)
    torch.testing.assert_close(twice[1], 2 * scores[1])


def test_what_is_seen_from_all_around_matters(tensors):
    sampler = Sampler(guided=16, bins=48)
    shared = tensors.new_shared("vm", guide_side=16)
    codes = tensors.column(shared.family)
    box = codes.grids[0].box[None]
    guide, cameras = shared.guide(codes, box), orbit(12, elevation=20.0, width=24, height=24)
    rays = cameras.rays()
    rays = Rays(rays.origins.reshape(1, -1, 3), rays.directions.reshape(1, -1, 3))
    ones = torch.ones(rays.origins.shape[1])
    maps = importance_scores(shared.family.field(codes), rays, ones, sampler, bounds=box, guide=guide)
    opacity = shared.pictures(codes, cameras[None], box, sampler, guide=guide).opacity
    for each in maps:
        assert bool((each >= 0).all())
        # Pictures leave out samples that are too faint to count.
        assert float(each.sum()) == pytest.approx(float(opacity.sum()), rel=1e-2)
    # The column's side is seen, and nothing of what lies in its middle.
    axis = torch.linspace(-0.5, 0.5, 12)
    radius = (axis[:, None].square() + axis.square()).sqrt()
    rim = maps[0][(radius > 0.3) & (radius < 0.45)].mean()
    assert rim > 5 * maps[0][radius > 0.55].mean() and rim > 2 * maps[0][radius < 0.15].mean()


def test_weights_are_normalised_logarithms():
    scores = (torch.tensor([[0.0, 0.09], [0.99, 9.99]]), torch.full((2, 3), 4.0))
    first, second = importance_weights(scores)
    torch.testing.assert_close(first, torch.tensor([[0.0, 1 / 3], [2 / 3, 1.0]]))
    assert torch.equal(second, torch.ones(2, 3))
    pictures = importance_pictures([first, second])
    assert pictures[0].dtype == torch.uint8 and pictures[0].tolist() == [[170, 255], [0, 85]]
