"""Signed distances of solids, against plain loops, and the way back to hulls."""

import itertools

import numpy as np
import pytest
import torch

from manyfields.families.fused_planes.shape_grids import LOOSE, REACH, distances_of, grid_side, hulls_of, solid_of

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


def block(side: int, *spans: tuple[int, int]) -> torch.Tensor:
    cells = torch.zeros(side, side, side, dtype=torch.uint8)
    cells[tuple(slice(*span) for span in spans)] = 1
    return cells


def test_a_closed_surface_is_filled_and_an_open_one_is_not():
    shell = block(10, (2, 8), (2, 8), (2, 8)).float()
    shell[3:7, 3:7, 3:7] = 0
    solid = solid_of(30.0 * shell, BOX)
    assert int(solid.sum()) == 6**3
    shell[4, 4, 7] = 0  # a hole lets the air in
    assert int(solid_of(30.0 * shell, BOX).sum()) == 6**3 - 4**3 - 1


def test_faint_cells_are_air_by_the_size_of_a_cell():
    guide = torch.full((10, 10, 10), 0.5)
    assert int(solid_of(guide, BOX).sum()) == 1000  # optical depth 0.1 a cell
    assert int(solid_of(guide, 0.1 * BOX).sum()) == 0


def test_distances_equal_a_loop_over_cells():
    side = 7  # odd: not halved
    solid = block(side, (1, 5), (2, 6), (3, 5))
    found = distances_of(solid).numpy()
    cells = list(itertools.product(range(side), repeat=3))
    beyond = list(itertools.product(range(-1, side + 1), repeat=3))
    for cell in cells:
        inside = bool(solid[cell])
        others = [o for o in beyond if not (min(o) >= 0 and max(o) < side and solid[o])] if inside else cells
        others = others if inside else [other for other in cells if solid[other]]
        nearest = min(np.linalg.norm(np.subtract(cell, other)) for other in others)
        signed = (nearest - 0.5) if inside else (0.5 - nearest)
        assert found[cell] == pytest.approx(np.clip(signed, -REACH * side, REACH * side), abs=1e-5)


def test_all_or_nothing():
    full = distances_of(torch.ones(16, 16, 16, dtype=torch.uint8))
    assert full.shape == (8, 8, 8) and grid_side(16) == 8
    assert full[4, 4, 4] == REACH * 16 and full[0, 4, 4] == 1.0  # from cells 0.5 and 1.5 within the side of the box
    assert (distances_of(torch.zeros(16, 16, 16, dtype=torch.uint8)) == -REACH * 16).all()


def test_hulls_of_distances_hold_the_solid_and_little_more():
    solid = block(32, (6, 27), (10, 20), (4, 28))
    (hull,) = hulls_of(distances_of(solid)[None], 32)
    assert bool((hull >= solid).all())
    grown = torch.nn.functional.max_pool3d(solid[None].float(), 5, 1, 2)[0]
    assert bool((hull <= grown).all()) and LOOSE < 1


def test_the_mean_of_two_shapes_lies_between_them():
    short, long = block(32, (6, 12), (8, 24), (8, 24)), block(32, (6, 26), (8, 24), (8, 24))
    middle = 0.5 * (distances_of(short) + distances_of(long))
    sizes = [int(hulls_of(each[None], 32).sum()) for each in (distances_of(short), middle, distances_of(long))]
    assert sizes[0] < sizes[1] < sizes[2]


def test_an_object_is_never_nothing():
    distances = torch.full((1, 8, 8, 8), -2.0)
    distances[0, 3, 4, 5] = -1.5
    assert int(hulls_of(distances, 16).sum()) >= 1
