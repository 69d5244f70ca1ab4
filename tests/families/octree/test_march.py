"""The compiled march through octrees against the plain one: pictures, densities, errors and all gradients."""

from contextlib import nullcontext

import pytest
import torch

pytest.importorskip("numba")

from manyfields.compiled import plain_only
from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.tree import Octree
from manyfields.rendering import densities

CONFIG = OctreeConfig(first=2, last=4, hidden=32)


@pytest.fixture
def scene():
    """Two objects with octrees of their own, rays through them, and what is learned."""
    draw = torch.Generator().manual_seed(3)
    family = OctreeFamily(CONFIG, draw)
    with torch.no_grad():
        family.output.weight.mul_(4.0)
    clouds = (torch.rand(60, 3, generator=draw) - 0.5, 0.3 * torch.randn(200, 3, generator=draw).clamp(-3, 3))
    trees = tuple(Octree.of_points(cloud, CONFIG.first, CONFIG.last) for cloud in clouds)
    table = torch.randn(sum(sum(tree.corner_counts) for tree in trees), 16, generator=draw).requires_grad_()
    origins = torch.nn.functional.normalize(torch.randn(2, 37, 3, generator=draw), dim=-1) * 2.0
    directions = 0.2 * torch.randn(2, 37, 3, generator=draw) - origins
    directions = torch.nn.functional.normalize(directions, dim=-1)
    distances = (1.0 + 2.0 * torch.rand(2, 37, 20, generator=draw)).sort(-1).values
    lengths = 0.1 * torch.rand(2, 37, 20, generator=draw) * (torch.rand(2, 37, 20, generator=draw) > 0.2)
    lengths[0, 5] = 0.0
    return family, trees, table, (origins, directions, distances, lengths)


@pytest.mark.parametrize("level", [1, 2, None])
def test_pictures_are_those_of_the_plain_march(scene, level):
    family, trees, table, rays = scene
    with torch.no_grad():
        field = family.field(OctreeCodes(trees, table), level)
        assert field.takes(*rays)
        seen = field.march(*rays)
        with plain_only():
            expected = field.march(*rays)
    assert expected[1].max() > 0.5
    for one, other in zip(seen, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("level", [2, None])
def test_densities_are_those_of_the_field(scene, level):
    family, trees, table, _ = scene
    points = 2.2 * torch.rand(2, 700, 3, generator=torch.Generator().manual_seed(1)) - 1.1
    points[0, :3] = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [0.0, 0.5, 1.0]])
    field = family.field(OctreeCodes(trees, table), level)
    found = densities(field, points)
    with plain_only():
        expected = densities(field, points)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found > 0).any() and (found == 0).any()


def test_error_and_gradients_are_those_of_the_plain_march(scene):
    family, trees, table, rays = scene
    draw = torch.Generator().manual_seed(5)
    colors, scales = torch.rand(2, 37, 3, generator=draw), torch.rand(2, 37, generator=draw)
    learned = [table, *family.parameters()]
    found = []
    for plain in (False, True):
        for tensor in learned:
            tensor.grad = None
        with plain_only() if plain else nullcontext():
            error = family.field(OctreeCodes(trees, table)).march_error(*rays, colors, scales, torch.ones(3))
            error.backward()
        found.append([error.detach(), *(tensor.grad.clone() for tensor in learned)])
    for one, other in zip(*found, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


def test_a_frozen_network_leaves_its_parameters_without_gradients(scene):
    family, trees, table, rays = scene
    family.requires_grad_(False)
    error = family.field(OctreeCodes(trees, table)).march_error(
        *rays, torch.rand(2, 37, 3), torch.ones(2, 37), torch.ones(3)
    )
    error.backward()
    assert table.grad is not None and table.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in family.parameters())
