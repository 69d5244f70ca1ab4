"""Hulls by tables that a set shares."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.compression import hull as deflated
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.latents.hulls import NEIGHBOURS, PATTERNS, decode_hull, encode_hull, learn_hulls


def ball(side: int, radius: float, height: float = 0.0) -> np.ndarray:
    axis = np.linspace(-1, 1, side)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return (x**2 + y**2 + (z - height) ** 2 < radius**2).astype(np.uint8)


BALLS = [ball(16, radius, height) for radius in (0.4, 0.6, 0.8) for height in (-0.1, 0.2)]
EMPTY = learn_hulls(BALLS)


def pattern_of(hull: np.ndarray, cell: np.ndarray) -> int:
    found = 0
    for bit, offset in enumerate(NEIGHBOURS):
        place = cell + offset
        if (place >= 0).all() and (place < len(hull)).all():
            found |= int(hull[tuple(place)] > 0) << bit
    return found


def test_tables_are_counts_cell_by_cell():
    hulls = [(np.random.default_rng(seed).random((5, 5, 5)) < 0.5).astype(np.uint8) for seed in (0, 1)]
    counts = np.full((PATTERNS, 2), 0.4)
    for hull in hulls:
        for cell in np.argwhere(np.ones_like(hull)):
            counts[pattern_of(hull, cell), hull[tuple(cell)]] += 1
    expected = (counts[:, 0] / counts.sum(1) * 65536).round()
    assert np.array_equal(learn_hulls(hulls), expected)


def test_all_neighbours_come_before_their_cell():
    order = NEIGHBOURS @ np.array([10_000, 100, 1])
    assert (order < 0).all() and len(set(order.tolist())) == len(NEIGHBOURS) == 12


@settings(deadline=None)
@given(st.integers(1, 9), st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.integers(0, 1000))
def test_any_hull_comes_back(side, share, seed):
    hull = (np.random.default_rng(seed).random((side,) * 3) < share).astype(np.uint8)
    data = encode_hull(hull, EMPTY)
    again = decode_hull(data, side, EMPTY)
    assert again.dtype == np.uint8 and np.array_equal(again, hull)
    with plain_only():
        assert np.array_equal(decode_hull(data, side, EMPTY), hull)


def test_tables_at_their_ends_decode_too():
    hull = ball(9, 0.7)
    for empty in (np.full(PATTERNS, 1), np.full(PATTERNS, 65535), np.where(np.arange(PATTERNS) % 2, 1, 65535)):
        assert np.array_equal(decode_hull(encode_hull(hull, empty), 9, empty), hull)


def test_hulls_like_those_of_the_set_take_fewer_bytes_than_deflated():
    hull = ball(16, 0.7, 0.1)
    assert len(encode_hull(hull, EMPTY)) < 0.6 * len(deflated.encode_hull(hull))


def test_golden_bytes():
    data = encode_hull(ball(16, 0.5), EMPTY)
    assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == (24, "ae844aa23caf9fee")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "the layer of the hull: .* bytes are not the words"),
        (lambda data: data[:-4], "the layer of the hull: the coded bytes do not end where"),
        (lambda data: data + b"\1\2\3\4", "the layer of the hull: the coded bytes do not end where"),
        (lambda data: data + bytes(4), "the layer of the hull: .* bytes are not the words"),
    ],
)
def test_damaged_bytes(change, message):
    with pytest.raises(CollectionError, match=message) as caught:
        decode_hull(change(encode_hull(ball(16, 0.5), EMPTY)), 16, EMPTY)
    assert "\n" not in str(caught.value)


def test_an_empty_hull_is_no_bytes():
    empty = np.zeros((16, 16, 16), np.uint8)
    assert encode_hull(empty, EMPTY) == b"" and np.array_equal(decode_hull(b"", 16, EMPTY), empty)
