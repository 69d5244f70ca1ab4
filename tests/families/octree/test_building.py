"""Octrees hold the surfaces that their objects have, and little else."""

import numpy as np
import pytest
import torch

from manyfields.families.octree.building import octree_of, octree_of_hull, octree_of_points
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.morton import decode
from manyfields.families.octree.surface_points import points_of_depths
from manyfields.families.octree.tree import Octree
from manyfields.fitting.data import load_object
from manyfields.views import read_views

CENTER, RADIUS = torch.tensor([0.1, -0.05, 0.0]), 0.5
CONFIG = OctreeConfig(first=3, last=5, features=4, hidden=8)
SIZE = (64, 64)


def on_the_ball(count, radius=RADIUS, lowest=-1.0):
    points = torch.randn(4 * count, 3, generator=torch.Generator().manual_seed(0))
    points = torch.nn.functional.normalize(points, dim=-1)
    return CENTER + radius * points[points[:, 2] > lowest][:count]


def middles(tree, level):
    return (decode(tree.voxels[level - tree.first]) + 0.5) / 2 ** (level - 1) - 1


def test_with_depth_an_octree_is_a_shell_around_the_visible_surface(ball_with_depth):
    item = load_object(read_views(ball_with_depth())[0], SIZE, seed=0)
    tree = octree_of(item, CONFIG)
    assert tree.levels == CONFIG.levels
    visible = on_the_ball(2000, lowest=-0.1)  # cameras stand from -0.3 to 0.8 of their radius
    for level in tree.levels:
        assert bool((tree.find(visible, level) >= 0).all())
    cell = 2 / 2**5
    # Half a voxel of reach; what is left open is a quarter of one, and that pixels are 0.6 of one apart.
    for shift in (-0.2 * cell, 0.2 * cell):
        assert bool((tree.find(on_the_ball(2000, RADIUS + shift, -0.1), 5) >= 0).float().mean() > 0.95)
    away = ((middles(tree, 5) - CENTER).norm(dim=-1) - RADIUS).abs()
    assert float(away.max()) <= cell * 3**0.5  # half its diagonal, and that of the reach
    thin = octree_of(item, CONFIG, reach=0.0)
    assert len(thin.voxels[-1]) < 0.7 * len(tree.voxels[-1])
    points = points_of_depths(item.source, item.train, 5)
    assert torch.equal(thin.voxels[-1], Octree.of_points(points, 3, 5).voxels[-1])


@pytest.mark.parametrize("reach", [0.0, 0.3, 0.5, 0.8, 1.6])
def test_all_within_reach_of_a_point_is_in_the_octree(reach):
    generator = torch.Generator().manual_seed(1)
    points = torch.cat([2 * torch.rand(20, 3, generator=generator) - 1, torch.tensor([[1.0, -1.0, 0.999]])])
    tree = octree_of_points(points, CONFIG, reach=reach)
    steps = (2 * torch.rand(300, 1, 3, generator=generator) - 1) * reach * 0.999
    near = (points + steps * 2 / 2**5).view(-1, 3).clamp(-1, 1)
    for level in tree.levels:
        assert bool((tree.find(near, level) >= 0).all())
    gaps = (middles(tree, 5).unsqueeze(1) - points).abs().amax(-1).amin(-1)
    assert float(gaps.max()) <= (reach + 0.5) * 2 / 2**5 + 1e-6


def test_points_may_build_coarse_levels_only():
    tree = octree_of_points(on_the_ball(500), CONFIG, upto=4)
    assert [len(codes) > 0 for codes in tree.voxels] == [True, True, False]
    family = OctreeFamily(CONFIG)
    found = family.field(family.new_codes([tree]))(on_the_ball(50)[None])
    assert bool((found.density > 0).all())
    with pytest.raises(ValueError, match="level 6: octrees of this config have levels 3 to 5"):
        octree_of_points(on_the_ball(5), CONFIG, upto=6)
    with pytest.raises(ValueError, match="there is no point"):
        octree_of_points(torch.full((3, 3), 1.5), CONFIG)


@pytest.mark.parametrize("hull", [0, 24])
def test_without_depth_it_is_the_solid_hull_at_the_first_levels(tmp_path, shapes, hull):
    folder = shapes.write(tmp_path / "ball", shapes.Shape("ball", (RADIUS,) * 3, center=(0.1, -0.05, 0.0)), 16, 64)
    item = load_object(read_views(folder)[0], SIZE, seed=0, hull=hull)
    assert (item.hull is None) == (hull == 0)
    tree = octree_of(item, CONFIG)
    assert tree.levels == CONFIG.levels and tree.corner_counts[2] == 0
    inside = torch.cat([on_the_ball(500, radius) for radius in (0.5, 0.4, 0.2, 0.05)])
    for level in (3, 4):
        assert bool((tree.find(inside, level) >= 0).all())
    away = (middles(tree, 4) - CENTER).norm(dim=-1)
    assert float(away.quantile(0.95)) < RADIUS + 0.2  # few are farther off: no view from below
    assert len(tree.voxels[1]) < 0.35 * 16**3
    assert octree_of(item, CONFIG, start_levels=1).corner_counts[1:] == (0, 0)
    assert octree_of(item, CONFIG, start_levels=9).corner_counts[2] > 0


@pytest.mark.parametrize("side", [2, 3, 5, 16, 20])
def test_voxels_of_a_hull_are_those_its_cells_overlap(side):
    generator = torch.Generator().manual_seed(side)
    hull = (torch.rand(side, side, side, generator=generator) < 0.1).to(torch.uint8)
    hull[0, 1, 1] = 1
    bounds = torch.tensor([[-0.9, -0.35, -1.0], [0.1, 0.6, 0.77]])
    tree = octree_of_hull(hull, bounds, CONFIG, upto=4)
    size = ((bounds[1] - bounds[0]) / side).numpy()
    expected = np.zeros((16, 16, 16), bool)
    for cell in hull.nonzero().numpy():
        low, high = bounds[0].numpy() + cell * size, bounds[0].numpy() + (cell + 1) * size
        first = np.floor((low + 2e-3 * size + 1) * 8).astype(int)
        last = np.floor((high - 2e-3 * size + 1) * 8).astype(int)
        expected[first[0] : last[0] + 1, first[1] : last[1] + 1, first[2] : last[2] + 1] = True
    found = np.zeros_like(expected)
    found[tuple(decode(tree.voxels[1]).numpy().T)] = True
    np.testing.assert_array_equal(found, expected)


def test_a_hull_on_the_octrees_own_grid_is_taken_as_it_is():
    hull = (torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.05).to(torch.uint8)
    tree = octree_of_hull(hull, torch.tensor([[-1.0] * 3, [1.0] * 3]), CONFIG, upto=4)
    assert sorted(map(tuple, decode(tree.voxels[1]).tolist())) == sorted(map(tuple, hull.nonzero().tolist()))
    with pytest.raises(ValueError, match="there is no point"):
        octree_of_hull(hull * 0, torch.tensor([[-1.0] * 3, [1.0] * 3]), CONFIG, upto=4)
