"""Octrees against plain loops over points, voxels and corners."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.families.octree.morton import decode, encode
from manyfields.families.octree.tree import Octree

coordinates = st.one_of(st.floats(-1, 1, width=32), st.sampled_from([-1.0, 1.0, 0.0, -0.5, 0.25]))
clouds = st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=12)
spans = st.sampled_from([(0, 0), (0, 2), (1, 3), (2, 5), (3, 3)])


def cell_of(point, level):
    """The cell that holds a point: half open, the last one closed. In float32, as the points are."""
    side = 2**level
    return tuple(min(int((torch.tensor(value) + 1).item() * side / 2), side - 1) for value in point)


def cells_of(codes):
    return [tuple(cell) for cell in decode(codes).tolist()]


def as_points(points):
    return torch.tensor(points, dtype=torch.float32)


@settings(max_examples=40, deadline=None)
@given(clouds, spans)
def test_voxels_are_those_that_hold_a_point(points, span):
    tree = Octree.of_points(as_points(points), *span)
    assert (tree.first, tree.last) == span and len(tree.voxels) == len(tree.levels)
    for level, codes in zip(tree.levels, tree.voxels, strict=True):
        assert codes.tolist() == sorted(set(codes.tolist()))
        assert set(cells_of(codes)) == {cell_of(point, level) for point in points}


@settings(max_examples=30, deadline=None)
@given(clouds, spans, st.integers(0, 2))
def test_corners_are_unique_shared_and_those_of_the_voxels(points, span, dilate):
    tree = Octree.of_points(as_points(points), *span, dilate=dilate)
    for level, voxels, corners, corner_of in zip(tree.levels, tree.voxels, tree.corners, tree.corner_of, strict=True):
        assert corners.tolist() == sorted(set(corners.tolist()))
        places = cells_of(corners)
        assert all(0 <= value <= 2**level for place in places for value in place)
        wanted = [
            [(x + i, y + j, z + k) for k, j, i in itertools.product((0, 1), repeat=3)] for x, y, z in cells_of(voxels)
        ]
        assert [[places[at] for at in row] for row in corner_of.tolist()] == wanted
        assert set(places) == {place for row in wanted for place in row}
    assert tree.corner_counts == tuple(len(corners) for corners in tree.corners)


@settings(max_examples=30, deadline=None)
@given(clouds, spans, st.integers(1, 2))
def test_rings_of_neighbours_and_their_parents(points, span, dilate):
    first, last = span
    tree = Octree.of_points(as_points(points), first, last, dilate=dilate)
    reach = range(-dilate, dilate + 1)
    grown = {
        tuple(a + b for a, b in zip(cell_of(point, last), step, strict=True))
        for point in points
        for step in itertools.product(reach, repeat=3)
    }
    assert set(cells_of(tree.voxels[-1])) == {cell for cell in grown if all(0 <= v < 2**last for v in cell)}
    for coarse, fine in itertools.pairwise(tree.voxels):
        assert set((fine >> 3).tolist()) == set(coarse.tolist())


@settings(max_examples=40, deadline=None)
@given(clouds, clouds, spans)
def test_find_equals_a_search_over_all_voxels(points, asked, span):
    tree = Octree.of_points(as_points(points), *span)
    asked = [*asked, *points, (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0), (1.0, -1.0, 0.0)]
    outside = [(1.0001, 0.0, 0.0), (0.0, -1.5, 0.0), (math.nan, 0.0, 0.0), (math.inf, 0.0, 0.0)]
    for level, codes in zip(tree.levels, tree.voxels, strict=True):
        numbers = {cell: number for number, cell in enumerate(cells_of(codes))}
        found = tree.find(as_points([*asked, *outside]), level).tolist()
        assert found == [numbers.get(cell_of(point, level), -1) for point in asked] + [-1] * len(outside)


@settings(max_examples=20, deadline=None)
@given(clouds, spans)
def test_children_are_the_voxels_of_the_next_level(points, span):
    tree = Octree.of_points(as_points(points), *span)
    for coarse, fine, children in zip(tree.voxels, tree.voxels[1:], tree.children, strict=False):
        fine = fine.tolist()
        for code, row in zip(coarse.tolist(), children.tolist(), strict=True):
            assert row == [fine.index(8 * code + i) if 8 * code + i in fine else -1 for i in range(8)]


def test_voxels_of_each_level_get_their_parents():
    fine = encode(torch.tensor([[7, 0, 3], [6, 1, 3], [7, 0, 3]]))
    coarse = encode(torch.tensor([[0, 0, 0]]))
    tree = Octree.of_voxels([coarse, fine.new_empty(0), fine], 1)
    assert cells_of(tree.voxels[0]) == [(0, 0, 0), (1, 0, 0)]
    assert cells_of(tree.voxels[1]) == [(3, 0, 1)]
    assert sorted(cells_of(tree.voxels[2])) == [(6, 1, 3), (7, 0, 3)]
    same = Octree.of_voxels(fine, 2, 3)
    assert [codes.tolist() for codes in same.voxels] == [codes.tolist() for codes in tree.voxels[1:]]


def test_an_octree_is_rebuilt_from_its_own_voxels():
    points = 2 * torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 1
    tree = Octree.of_points(points, 2, 5)
    for again in (Octree.of_voxels(tree.voxels, 2), Octree.of_voxels(tree.voxels[-1], 2, 5), tree.to("cpu")):
        for name in ("voxels", "corners", "corner_of"):
            for ours, theirs in zip(getattr(tree, name), getattr(again, name), strict=True):
                assert torch.equal(ours, theirs)


def test_occupancy_is_indexed_x_y_z():
    tree = Octree.of_points(torch.tensor([[-0.9, 0.1, 0.6], [0.99, -0.99, 0.3]]), 2, 4)
    grid = tree.occupancy()
    assert grid.shape == (4, 4, 4) and grid.dtype == torch.bool
    assert grid.nonzero().tolist() == [[0, 2, 3], [3, 0, 2]]


def test_levels_may_be_empty_and_hold_nothing_then():
    empty = torch.zeros(0, dtype=torch.int64)
    tree = Octree.of_voxels([torch.tensor([0]), empty], 1)
    assert tree.corner_counts == (8, 0)
    assert tree.find(torch.tensor([[-0.5, -0.5, -0.5]]), 2).tolist() == [-1]


def test_what_is_no_octree_is_named():
    with pytest.raises(ValueError, match="2 of 3 points lie outside the cube"):
        Octree.of_points(torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [0, math.nan, 0]]), 1, 2)
    with pytest.raises(ValueError, match="at least one voxel"):
        Octree.of_points(torch.zeros(0, 3), 1, 2)
    with pytest.raises(ValueError, match="level 1 must be from 0 to 7"):
        Octree.of_voxels([torch.tensor([8])], 1)
    with pytest.raises(ValueError, match="levels 3 to 2"):
        Octree.of_points(torch.zeros(1, 3), 3, 2)
    with pytest.raises(ValueError, match="say which, by `last`"):
        Octree.of_voxels(torch.tensor([0]), 1)
