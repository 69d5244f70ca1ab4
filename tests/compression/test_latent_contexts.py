"""Latents by tables that a set shares, chosen by the latents around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.compression.context_classes import BITS
from manyfields.compression.latent_contexts import (
    BEFORE_FROM,
    CLASSES,
    NEAR_FROM,
    RANGES,
    PyramidTables,
    ranges_of,
)
from manyfields.errors import CollectionError

SIDES = (4, 7)


def some_latents(seed: int, channels: int = 3, spread: float = 1.5, share: float = 0.7, sides=SIDES):
    draw = np.random.default_rng(seed)
    masks = [draw.random((3, side, side)) < share for side in sides]
    levels = [
        np.round(draw.laplace(0, spread, (*here.shape, channels))).astype(np.int64) * here[..., None] for here in masks
    ]
    return levels, masks


OBJECTS = [some_latents(seed) for seed in range(4)]
TABLES = PyramidTables.learn(OBJECTS, 12)


def plain_ranges(latents: np.ndarray) -> np.ndarray:
    """Texel by texel and channel by channel, with what was coded before alone."""
    found = np.zeros_like(latents)
    planes, height, width, channels = latents.shape

    def size(plane: int, row: int, column: int, channel: int) -> int:
        inside = row >= 0 and 0 <= column < width
        return abs(int(latents[plane, row, column, channel])) if inside else 0

    for plane, row, column, channel in np.ndindex(*latents.shape):
        around = {(row, column - 1): 2, (row - 1, column): 2, (row - 1, column - 1): 1, (row - 1, column + 1): 1}
        near = sum(weight * size(plane, *place, channel) for place, weight in around.items())
        before = sum(size(plane, row - 1, column, each) for each in range(channels))
        before += 2 * sum(size(plane, row, column, each) for each in range(channel))
        n = sum(near >= least for least in NEAR_FROM)
        b = sum(before >= least for least in BEFORE_FROM)
        found[plane, row, column, channel] = n * RANGES + b
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.floats(0.2, 6), st.integers(0, 1000))
def test_ranges_are_those_of_a_plain_loop(height, width, channels, spread, seed):
    latents = np.random.default_rng(seed).laplace(0, spread, (3, height, width, channels)).round().astype(np.int64)
    assert np.array_equal(ranges_of(latents), plain_ranges(latents))


def test_all_ranges_occur():
    assert set(np.unique(ranges_of(some_latents(0, spread=3, sides=(30,))[0][0]))) == set(range(RANGES**2))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.floats(0, 8),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([(0, (3, 5)), (1, (5,)), (0, (1,)), (0, ())]),
)
def test_latents_come_back(seed, spread, share, part):
    first, sides = part
    levels, masks = some_latents(seed, spread=spread, share=share, sides=sides)
    levels = [own.clip(-TABLES.reach, TABLES.reach) for own in levels]
    if not levels:
        return
    data = TABLES.encode(levels, masks, first)
    for again in (TABLES.decode(data, masks, first, "latents"), plainly(data, masks, first)):
        assert all(np.array_equal(one, other) for one, other in zip(again, levels, strict=True))


def plainly(data, masks, first):
    with plain_only():
        return TABLES.decode(data, masks, first, "latents")


def test_what_lies_beyond_the_mask_is_not_stored():
    (own, _), (here, _) = OBJECTS[0]
    loud = np.where(here[..., None], own, 9)
    assert TABLES.encode([loud], [here]) == TABLES.encode([own], [here])


def test_tables_count_the_latents_of_each_context():
    assert TABLES.classes.shape == (2, 3, RANGES, RANGES) and TABLES.reach == 12
    assert TABLES.classes.max() < len(TABLES.frequencies) <= CLASSES
    assert (TABLES.frequencies.sum(1) == 1 << BITS).all() and TABLES.frequencies.min() >= 1
    # With so few latents as these, contexts are few; a class holds what its contexts counted.
    counts = np.zeros(TABLES.frequencies.shape)
    for levels, masks in OBJECTS:
        for level, (own, here) in enumerate(zip(levels, masks, strict=True)):
            ranges = plain_ranges(own)
            for place in np.argwhere(here):
                for channel in range(3):
                    found = divmod(int(ranges[(*place, channel)]), RANGES)
                    counts[TABLES.classes[level, channel][found], own[(*place, channel)].clip(-12, 12) + 12] += 1
    assert counts.sum() == sum(here.sum() * 3 for _, masks in OBJECTS for here in masks)
    for row, frequencies in zip(counts, TABLES.frequencies, strict=True):
        if row.sum() > 200:
            np.testing.assert_allclose(frequencies / 65536, row / row.sum(), atol=0.05)


def test_latents_beyond_the_reach_count_as_the_last():
    levels, masks = some_latents(0, spread=9)
    clipped = [own.clip(-4, 4) for own in levels]
    found, expected = (PyramidTables.learn([(each, masks)], 4) for each in (levels, clipped))
    assert np.array_equal(found.frequencies, expected.frequencies) and np.array_equal(found.classes, expected.classes)


def test_contexts_save_bytes():
    """Where loud latents lie together, those before tell how loud the next is."""
    draw = np.random.default_rng(0)
    scale = np.repeat(np.repeat(draw.choice([0.2, 4.0], (3, 8, 8)), 8, 1), 8, 2)
    own = np.round(draw.laplace(0, scale[..., None], (3, 64, 64, 2))).astype(np.int64).clip(-20, 20)
    masks = [np.ones((3, 64, 64), bool)]
    tables = PyramidTables.learn([([own], masks)], 20)
    counts = np.bincount(own.ravel() + 20, minlength=41)
    alone = -(counts[counts > 0] * np.log2(counts[counts > 0] / counts.sum())).sum() / 8
    assert len(tables.encode([own], masks)) < 0.87 * alone


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-3],
        lambda data: data[:-8],
        lambda data: data[8:],
        lambda data: data + b"\1\0\0\0",
        lambda data: bytes(len(data)),
    ],
)
def test_damaged_bytes_are_named(change):
    levels, masks = OBJECTS[1]
    data = TABLES.encode(levels, masks)
    with pytest.raises(CollectionError, match="^the fine layer: ") as caught:
        TABLES.decode(change(data), masks, 0, "the fine layer")
    assert "\n" not in str(caught.value)


def test_another_mask_is_found_out():
    levels, masks = OBJECTS[1]
    other = [here.copy() for here in masks]
    other[1][:, :4] = True
    with pytest.raises(CollectionError, match="do not end where"):
        TABLES.decode(TABLES.encode(levels, masks), other, 0, "latents")
