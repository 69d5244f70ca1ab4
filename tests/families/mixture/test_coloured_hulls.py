"""Coloured hulls on one grid: what is alike is near, and cells are where objects are."""

import torch

from manyfields.families.mixture.coloured_hulls import _of_object, coloured_hulls
from manyfields.fitting.data import FittingData, load_object

SIDE = 8


def data_of(views) -> tuple[FittingData, torch.Tensor]:
    data = FittingData([load_object(item, (16, 16), seed=0, hull=12) for item in views])
    return data, torch.stack([item.hull for item in data.objects])


def test_cells_are_filled_where_the_hull_is_and_have_its_colour(tiny_views):
    data, hulls = data_of(tiny_views)
    for row, item in enumerate(data.objects):
        filled, *colour = _of_object(data, row, hulls[row], 0, SIDE)[0]
        low, high = ((item.bounds + 1.0) * SIDE / 2).unbind(0)
        places = (filled > 0.5).nonzero() + 0.5
        assert len(places) and bool((places > low - 0.5).all() and (places < high + 0.5).all())
        volume = float((hulls[row] > 0).float().mean() * (item.bounds[1] - item.bounds[0]).prod())
        assert abs(float(filled.sum()) * (2.0 / SIDE) ** 3 / volume - 1.0) < 0.35
        shown = torch.stack(colour).flatten(1)
        mean = shown[:, shown.abs().sum(0) > 0].mean(1) + 0.5
        inside = item.images.float().permute(0, 2, 3, 1)[item.images.min(1).values < 250] / 255.0
        # Rays past the object through its coarse hull see white: the hue stays.
        hue, own = mean - mean.mean(), inside.mean(0) - inside.mean()
        assert float(torch.nn.functional.cosine_similarity(hue, own, dim=0)) > 0.95


def test_both_parts_vary_alike_and_draws_repeat(tiny_views):
    data, hulls = data_of(tiny_views)
    found = coloured_hulls(data, hulls, 0, SIDE)
    assert found.shape == (len(data), 4 * SIDE**3)
    assert torch.equal(found, coloured_hulls(data, hulls, 0, SIDE))
    spread = (found - found.mean(0)).square().view(len(data), 4, -1).sum(2).mean(0)
    assert torch.allclose(spread[0], torch.ones(())) and torch.allclose(spread[1:].sum(), torch.ones(()))
