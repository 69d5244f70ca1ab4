"""Occupancy against scipy's distances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.rendering import Occupancy

BOUNDS = torch.tensor([[[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.001, 0.01, 0.3]))
def test_leaps_are_distances_to_the_nearest_cell_that_may_be_filled(seed, share):
    ndimage = pytest.importorskip("scipy.ndimage")
    generator = np.random.default_rng(seed)
    shape = (14, 14, 14)
    dense, possible = generator.random(shape) < share, generator.random(shape) < 0.9
    guide = np.where(possible, np.where(dense, 5.0, 1e-4), 0.0).astype(np.float32)
    leaps = Occupancy.of(torch.from_numpy(guide)[None], BOUNDS).leaps[0].numpy()
    filled = ndimage.binary_dilation(dense & possible, np.ones((3, 3, 3))) & possible
    assert np.array_equal(leaps == 0, filled)
    if filled.any():
        distances = ndimage.distance_transform_cdt(~filled, "chessboard")
        rounded = np.array([0, 1, 2, 3, 3, 5, 5, 5, 5, 9])[np.minimum(distances, 9)]
        assert np.array_equal(leaps, rounded)
    else:
        assert (leaps == 9).all()


def test_faint_cells_count_beside_dense_ones_only():
    guide = torch.zeros(2, 9, 9, 9)
    guide[:, 1:8, 1:8, 1:8] = 0.003  # an optical depth of 0.0007 across a cell
    guide[1, 4, 4, 4] = 40.0
    leaps = Occupancy.of(guide, BOUNDS.expand(2, 2, 3)).leaps
    assert not (leaps[0] == 0).any()
    assert (leaps[1, 3:6, 3:6, 3:6] == 0).all() and int((leaps[1] == 0).sum()) == 27
    assert torch.equal(Occupancy(leaps)[1].leaps, leaps[1:])
