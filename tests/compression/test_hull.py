"""Hulls survive their bytes, and damaged or lying bytes are named."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.compression.hull import decode_hull, encode_hull, usual_bytes
from manyfields.errors import CollectionError


@given(st.integers(1, 9), st.floats(0, 1), st.integers(0, 1000))
def test_round_trip(side, share, seed):
    hull = (np.random.default_rng(seed).random((side,) * 3) < share).astype(np.uint8)
    decoded = decode_hull(encode_hull(hull), hull.shape)
    assert decoded.dtype == np.uint8 and np.array_equal(decoded, hull)


def test_golden_bytes():
    hull = np.zeros((2, 2, 2), np.uint8)
    hull[0, 0, 1] = hull[1, 1, 1] = 1
    assert zlib.decompress(encode_hull(hull)) == bytes([0b01000001])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not hold 64 bytes"),
        (b"nonsense", "is damaged"),
        (zlib.compress(bytes(63)), "does not hold 64 bytes"),
        (zlib.compress(bytes(65)), "does not hold 64 bytes"),
        (zlib.compress(bytes(50_000_000)), "does not hold 64 bytes"),
        (zlib.compress(bytes(64))[:-2], "does not hold 64 bytes"),
        (zlib.compress(bytes(64)) + b"x", "does not hold 64 bytes"),
    ],
)
def test_damaged_bytes(data, message):
    with pytest.raises(CollectionError, match=message):
        decode_hull(data, (8, 8, 8))


def test_forecast_is_near_what_a_ball_takes():
    axis = np.linspace(-1, 1, 64)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    size = len(encode_hull((x**2 + y**2 + z**2 < 0.7).astype(np.uint8)))
    assert usual_bytes((64, 64, 64)) / 4 < size < 4 * usual_bytes((64, 64, 64))
