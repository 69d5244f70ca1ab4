"""Vectors of 16 floats against numpy: every operation, at every place of an array, and nothing beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

numba = pytest.importorskip("numba")

from manyfields import simd  # noqa: E402
from manyfields.simd import (  # noqa: E402
    LANES,
    clamp,
    floor,
    load,
    maximum,
    multiply_add,
    power_of_two,
    splat,
    store,
    store_whole,
    total,
    where_positive,
)

OPERATIONS = {
    "copy": lambda a, b, c, number: a,
    "splat": lambda a, b, c, number: np.full(LANES, number),
    "add": lambda a, b, c, number: a + b,
    "subtract": lambda a, b, c, number: a - b,
    "multiply": lambda a, b, c, number: a * b,
    "divide": lambda a, b, c, number: a / (np.abs(b) + 1.0),
    "vector and number": lambda a, b, c, number: (a + number) * number - number,
    "number and vector": lambda a, b, c, number: number + number * (number - a),
    "multiply_add": lambda a, b, c, number: a * b + c,
    "where_positive": lambda a, b, c, number: np.where(a > 0, b, 0.0),
    "maximum": lambda a, b, c, number: np.maximum(a, b),
    "clamp": lambda a, b, c, number: np.clip(a, -abs(number), abs(number)),
    "floor": lambda a, b, c, number: np.floor(a),
    "power_of_two": lambda a, b, c, number: 2.0 ** np.floor(np.clip(a, -126.0, 127.0)),
}


@numba.njit
def compiled(kind, a, b, c, number, at, out, to):
    """One operation on the vectors that begin at `at`, written to `to`; in one function, to compile once."""
    one = np.float32(1)
    x, y, z = load(a, at), load(b, at), load(c, at)
    if kind == 0:
        store(out, to, x)
    elif kind == 1:
        store(out, to, splat(number))
    elif kind == 2:
        store(out, to, x + y)
    elif kind == 3:
        store(out, to, x - y)
    elif kind == 4:
        store(out, to, x * y)
    elif kind == 5:
        store(out, to, x / (maximum(y, splat(-one) * y) + one))
    elif kind == 6:
        store(out, to, (x + number) * number - number)
    elif kind == 7:
        store(out, to, number + number * (number - x))
    elif kind == 8:
        store(out, to, multiply_add(x, y, z))
    elif kind == 9:
        store(out, to, where_positive(x, y))
    elif kind == 10:
        store(out, to, maximum(x, y))
    elif kind == 11:
        store(out, to, clamp(x, -abs(number), abs(number)))
    elif kind == 12:
        store(out, to, floor(x))
    elif kind == 13:
        store(out, to, power_of_two(floor(clamp(x, np.float32(-126), np.float32(127)))))
    return total(x)


@numba.njit
def truncated(a, at, out, to):
    store_whole(out, to, load(a, at))


def apply(name: str, arrays: np.ndarray, number: float, at: int, to: int) -> tuple[np.ndarray, float]:
    out = np.full(50, 7.0, np.float32)
    summed = compiled(list(OPERATIONS).index(name), *arrays, np.float32(number), at, out, to)
    return out, summed


numbers = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(OPERATIONS)),
    st.lists(numbers, min_size=150, max_size=150),
    numbers,
    st.integers(0, 34),
    st.integers(0, 34),
)
def test_every_operation_is_numpys_and_writes_16_floats(name, values, number, at, to):
    arrays = np.array(values, np.float32).reshape(3, 50)
    out, summed = apply(name, arrays, number, at, to)
    a, b, c = arrays[:, at : at + LANES].astype(np.float64)
    expected = OPERATIONS[name](a, b, c, np.float32(number))
    # An error of one rounding of what is added, whose sum may be smaller.
    largest = float(max(np.abs(a * b).max(), number * number + np.abs(a * number).max())) + 1
    np.testing.assert_allclose(out[to : to + LANES], expected, rtol=2e-7, atol=2e-7 * largest)
    assert np.all(np.delete(out, np.s_[to : to + LANES]) == 7.0)
    assert summed == pytest.approx(a.sum(), abs=2e-6 * float(np.abs(a).sum()) + 1e-30)


def test_zero_and_what_is_not_a_number_are_not_positive():
    condition = np.array([0.0, -0.0, np.nan, -1.0, 1e-38, 1.0, np.inf, -np.inf] * 2, np.float32)
    value = np.arange(1, 17, dtype=np.float32)
    out, _ = apply("where_positive", np.stack([condition, value, value]), 0.0, 0, 0)
    assert out[:LANES].tolist() == [0, 0, 0, 0, 5, 6, 7, 0, 0, 0, 0, 0, 13, 14, 15, 0]


def test_vectors_have_the_lanes_that_are_said():
    assert LANES == 16 and simd.vector.name == "float32x16"


def test_store_whole_drops_what_follows_the_point():
    numbers = np.linspace(-40.25, 40.25, 20, dtype=np.float32)
    out = np.full(24, 7, np.int32)
    truncated(numbers, 3, out, 5)
    np.testing.assert_array_equal(out[5:21], np.trunc(numbers[3:19]).astype(np.int32))
    assert np.all(out[:5] == 7) and np.all(out[21:] == 7)
