"""Vectors of 16 floats against numpy: every operation, at every place of an array, and nothing beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

numba = pytest.importorskip("numba")

from manyfields import simd  # noqa: E402
from manyfields.simd import LANES, add, load, multiply, multiply_add, splat, store, total, where_positive  # noqa: E402

OPERATIONS = {
    "copy": lambda a, b, c, number: a,
    "splat": lambda a, b, c, number: np.full(LANES, number),
    "add": lambda a, b, c, number: a + b,
    "multiply": lambda a, b, c, number: a * b,
    "multiply_add": lambda a, b, c, number: a * b + c,
    "where_positive": lambda a, b, c, number: np.where(a > 0, b, 0.0),
}


@numba.njit
def compiled(kind, a, b, c, number, at, out, to):
    """One operation on the vectors that begin at `at`, written to `to`; in one function, to compile once."""
    x, y, z = load(a, at), load(b, at), load(c, at)
    if kind == 0:
        store(out, to, x)
    elif kind == 1:
        store(out, to, splat(number))
    elif kind == 2:
        store(out, to, add(x, y))
    elif kind == 3:
        store(out, to, multiply(x, y))
    elif kind == 4:
        store(out, to, multiply_add(x, y, z))
    elif kind == 5:
        store(out, to, where_positive(x, y))
    return total(x)


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
    np.testing.assert_allclose(out[to : to + LANES], expected, rtol=2e-7, atol=2e-7 * float(np.abs(a * b).max() + 1))
    assert np.all(np.delete(out, np.s_[to : to + LANES]) == 7.0)
    assert summed == pytest.approx(a.sum(), abs=2e-6 * float(np.abs(a).sum()) + 1e-30)


def test_zero_and_what_is_not_a_number_are_not_positive():
    condition = np.array([0.0, -0.0, np.nan, -1.0, 1e-38, 1.0, np.inf, -np.inf] * 2, np.float32)
    value = np.arange(1, 17, dtype=np.float32)
    out, _ = apply("where_positive", np.stack([condition, value, value]), 0.0, 0, 0)
    assert out[:LANES].tolist() == [0, 0, 0, 0, 5, 6, 7, 0, 0, 0, 0, 0, 13, 14, 15, 0]


def test_vectors_have_the_lanes_that_are_said():
    assert LANES == 16 and simd.vector.name == "float32x16"
