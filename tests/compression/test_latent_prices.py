"""What latents cost, and the slope that learning follows."""

import numpy as np
import pytest
import torch

from manyfields.compression.context_classes import BITS
from manyfields.compression.latent_contexts import BEFORE_FROM, NEAR_FROM, RANGES, PyramidTables, ranges_of
from manyfields.compression.latent_prices import FINENESS, STEEPEST, LatentPrices


def smooth_tables(classes: int = 6, channels: int = 2, reach: int = 9, levels: int = 1) -> PyramidTables:
    """Laplace distributions of several widths, without learning."""
    widths = np.linspace(0.6, 3.0, classes)
    shares = np.exp(-np.abs(np.arange(-reach, reach + 1)) / widths[:, None])
    frequencies = np.maximum((shares / shares.sum(1, keepdims=True) * (1 << BITS)).astype(np.int64), 1)
    frequencies[:, reach] += (1 << BITS) - frequencies.sum(1)
    ranges = np.add.outer(np.arange(RANGES), np.arange(RANGES)) * (classes - 1) // (2 * RANGES - 2)
    return PyramidTables(np.broadcast_to(ranges, (levels, channels, RANGES, RANGES)).copy(), frequencies)


TABLES = smooth_tables()
PRICES = LatentPrices.of(TABLES)


def drawn(tables: PyramidTables, masks: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Latents as the tables foretell them, one after the other."""
    draw, sums = np.random.default_rng(seed), tables.frequencies.cumsum(1)
    levels = []
    for level, here in enumerate(masks):
        own = np.zeros((3, here.shape[1] + 1, here.shape[2] + 2, tables.classes.shape[1]), np.int64)
        for plane, row, column in np.argwhere(here):
            above, line = abs(own[plane, row, column : column + 3]), own[plane, row + 1]
            near = 2 * abs(line[column]) + 2 * above[1] + above[0] + above[2]
            before = above[1].sum()
            for channel, reached in enumerate(near):
                context = level, channel, (reached >= NEAR_FROM).sum(), (before >= BEFORE_FROM).sum()
                place = np.searchsorted(sums[tables.classes[context]], draw.integers(1 << BITS), side="right")
                line[column + 1, channel] = place - tables.reach
                before += 2 * abs(place - tables.reach)
        levels.append(own[:, 1:, 1:-1])
    return levels


def test_the_slope_is_that_of_the_average_around():
    """Of linear interpolation, averaged over half a unit to either side: by numbers."""
    costs, reach = BITS - np.log2(TABLES.frequencies), TABLES.reach
    whole = np.arange(-reach, reach + 1)
    around = (np.arange(4000) + 0.5) / 4000 - 0.5

    def average(place: float, row: np.ndarray) -> float:
        return float(np.interp(place + around, whole, row).mean())

    places = np.arange(-(reach - 1) * FINENESS, (reach - 1) * FINENESS + 1, 3) / FINENESS
    for number, row in enumerate(costs):
        classes = torch.full((len(places), 1), number)
        found = PRICES.slope(torch.from_numpy(places).float()[:, None], classes)[:, 0].numpy()
        expected = [(average(place + 0.01, row) - average(place - 0.01, row)) / 0.02 for place in places]
        np.testing.assert_allclose(found, np.clip(expected, -STEEPEST, STEEPEST), atol=0.06)


def test_slopes_lead_to_what_is_frequent_and_are_limited():
    own = torch.tensor([[-50.0], [-3.0], [0.0], [3.0], [50.0]])
    found = PRICES.slope(own, torch.zeros(5, 1, dtype=torch.int64))[:, 0]
    assert found[1] < 0 < found[3] and float(found[2].abs()) < 1e-3
    steep = np.ones((1, 5), np.int64)
    steep[0, 2] = (1 << BITS) - 4
    prices = LatentPrices.of(PyramidTables(np.zeros((1, 1, RANGES, RANGES), np.int64), steep))
    assert float(prices.slopes.abs().max()) == STEEPEST < float(prices.costs.max())


def test_slopes_take_no_gradients():
    own = torch.zeros(3, 2, requires_grad=True)
    before = own.detach().clone()
    assert not PRICES.slope(own, torch.zeros(3, 2, dtype=torch.int64)).requires_grad
    assert torch.equal(own.detach(), before)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_estimate_is_within_a_percent_of_the_bytes(seed):
    tables = smooth_tables(channels=3, levels=2)
    draw = np.random.default_rng(seed)
    masks = [draw.random((3, side, side)) < 0.9 for side in (23, 45)]
    levels = drawn(tables, masks, seed)
    prices = LatentPrices.of(tables)
    classes = prices.classes(levels, masks)
    pairs = zip(levels, masks, classes, strict=True)
    bits = sum(prices.bits(torch.from_numpy(own[here]), each) for own, here, each in pairs)
    size = len(tables.encode(levels, masks))
    assert size > 5000 and abs(bits / 8 / size - 1) < 0.01
    entropy = -(tables.frequencies / 65536 * np.log2(tables.frequencies / 65536)).sum(1)
    expected = sum(entropy[each.numpy()].sum() for each in classes)
    assert abs(expected / bits - 1) < 0.03  # they are drawn from the tables


def test_classes_are_those_that_code():
    levels = [np.random.default_rng(3).integers(-4, 5, (3, 6, 6, 2))]
    here = [np.random.default_rng(4).random((3, 6, 6)) < 0.6]
    levels[0] *= here[0][..., None]
    (found,) = PRICES.classes(levels, here)
    ranges = ranges_of(levels[0])[here[0]]
    for texel, own in zip(found, ranges, strict=True):
        assert [int(each) for each in texel] == [
            TABLES.classes[0, channel, *divmod(int(number), RANGES)] for channel, number in enumerate(own)
        ]
