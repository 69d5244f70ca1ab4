"""Octree fields through `render`: samples lie in the voxels of the coarsest level, and nowhere else."""

import pytest
import torch

from manyfields.cameras import Rays
from manyfields.compiled import plain_only
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.tree import Octree
from manyfields.fields import Field
from manyfields.rendering import Sampler, render

CUBE = torch.tensor([[[-1.0] * 3, [1.0] * 3]])
WHITE = torch.ones(3)


class Watched(Field):
    """A field that remembers where it was asked."""

    def __init__(self, field):
        self.field, self.channels, self.points = field, field.channels, []

    def __call__(self, points, directions=None):
        self.points.append(points.detach())
        return self.field(points, directions)


def ball(radius=0.5):
    """An octree round the surface of a ball, and its family."""
    generator = torch.Generator().manual_seed(0)
    points = radius * torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1)
    family = OctreeFamily(OctreeConfig(first=3, last=5, hidden=16), generator)
    return family, Octree.of_points(points, 3, 5)


def parallel_rays(offsets):
    """Rays along x, at these distances from the middle."""
    origins = torch.stack([torch.full_like(offsets, -2.0), offsets, torch.full_like(offsets, 0.03)], -1)
    directions = torch.tensor([1.0, 0.0, 0.0]).expand_as(origins).contiguous()
    return Rays(origins[None], directions[None])


@pytest.mark.parametrize("plain", [False, True])
def test_samples_lie_in_voxels_and_rays_past_them_cost_nothing(plain, monkeypatch):
    family, tree = ball()
    field = family.field(family.new_codes([tree]))
    rays = parallel_rays(torch.tensor([0.0, 0.2, 0.9, 0.4, -0.85]))
    watched = Watched(field)
    if plain:
        with plain_only():
            seen = render(watched, rays, Sampler(guided=8), bounds=CUBE, guide=field.guide(), background=WHITE)
    else:
        seen = render(watched, rays, Sampler(guided=8), bounds=CUBE, guide=field.guide(), background=WHITE)
    (points,) = watched.points
    assert points.shape == (1, 3 * 8, 3), "three of five rays meet a voxel"
    assert (tree.find(points[0], 3) >= 0).float().mean() > 0.9  # a bin's samples lie in the cell of its middle, nearly
    torch.testing.assert_close(seen.channels[0, [2, 4]], torch.ones(2, 3))
    assert (seen.opacity[0, [2, 4]] == 0).all() and (seen.opacity[0, [0, 1, 3]] > 0.1).all()


def test_rays_that_meet_nothing_do_not_ask_the_field():
    family, tree = ball()
    field = Watched(family.field(family.new_codes([tree])))
    seen = render(
        field, parallel_rays(torch.tensor([0.9, 0.8])), Sampler(), bounds=CUBE, guide=field.field.guide(),
        background=WHITE,
    )  # fmt: skip
    assert not field.points and (seen.channels == 1).all()


def fitted(source, family, tree, learn, steps=40):
    """Errors before and after some steps towards a red ball."""
    rays = parallel_rays(torch.linspace(-0.9, 0.9, 64))
    colors = torch.where((rays.origins[0, :, 1:2].abs() < 0.5), torch.tensor([0.9, 0.1, 0.1]), WHITE)
    generator = torch.Generator().manual_seed(1)
    errors = []
    for _ in range(steps):
        field = source()
        seen = render(
            field, rays, Sampler(guided=16), bounds=CUBE, guide=field.guide(), background=WHITE, generator=generator
        )
        error = (seen.channels[0] - colors).square().mean()
        error.backward()
        learn()
        errors.append(error.item())
    return errors


def test_a_field_learns_by_gradients_through_rendering():
    family, tree = ball()
    codes = family.new_codes([tree])
    codes.features.requires_grad_()
    optimizer = torch.optim.Adam(
        [{"params": family.parameters(), "lr": 1e-3}, {"params": [codes.features], "lr": 1e-1}]
    )
    moved = []

    def learn():
        moved.append((codes.features.grad != 0).any(-1).float().mean().item())
        optimizer.step()
        optimizer.zero_grad()

    errors = fitted(lambda: family.field(codes), family, tree, learn)
    assert 0 < moved[0] < 1, "corners that no ray passes get no gradient"
    assert errors[-1] < 0.2 * errors[0], errors
