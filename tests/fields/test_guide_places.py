"""Where guides ask in a cell."""

import torch

from manyfields.fields.guide_places import MANY


def test_places_fill_a_cell_evenly():
    assert MANY.places.min() >= 0 and MANY.places.max() < 1
    octants = (MANY.places > 0.5).int() @ torch.tensor([1, 2, 4], dtype=torch.int32)
    assert torch.bincount(octants, minlength=8).min() >= 2
