"""Exponentials of the compiled kernels, against numpy in float64."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from manyfields.rendering.exponentials import exponential, log1p, sigmoid, softplus  # noqa: E402
from manyfields.simd import LANES, load, store  # noqa: E402

KINDS = ("exponential", "log1p", "sigmoid", "softplus")


@numba.njit
def of_all(numbers, kind, found):
    for i in range(0, len(numbers), LANES):
        value = load(numbers, i)
        if kind == 0:
            store(found, i, exponential(value))
        elif kind == 1:
            store(found, i, log1p(value))
        elif kind == 2:
            store(found, i, sigmoid(value))
        else:
            raised, falling = softplus(value)
            store(found, i, raised + falling)


def evaluate(numbers: np.ndarray, kind: str) -> np.ndarray:
    padded = np.zeros(-(-len(numbers) // LANES) * LANES, np.float32)
    padded[: len(numbers)] = numbers
    found = np.zeros_like(padded)
    of_all(padded, KINDS.index(kind), found)
    return found[: len(numbers)].astype(np.float64)


def test_exponential_is_within_two_parts_in_ten_million():
    # Doubled steps near 0 as well, where most optical depths lie.
    small = np.float32(2.0) ** -np.arange(0, 40, dtype=np.float32)
    numbers = np.concatenate([np.linspace(-87, 88, 200_001, dtype=np.float32), small, -small, np.zeros(1, np.float32)])
    found, exact = evaluate(numbers, "exponential"), np.exp(numbers.astype(np.float64))
    assert np.abs(found / exact - 1).max() < 2e-7
    assert found[-1] == 1.0


def test_exponential_of_what_is_too_small_or_too_large_is_that_of_the_ends():
    low, high, least, most = evaluate(np.array([-1e30, 1e30, -87, 88], np.float32), "exponential")
    assert low == least < 2e-38 and high == most > 1e38


def test_log1p_is_within_three_parts_in_ten_million():
    numbers = np.concatenate([np.linspace(0, 1, 100_001, dtype=np.float32), np.float32(2.0) ** -np.arange(1, 60)])
    numbers = numbers.astype(np.float32)
    found, exact = evaluate(numbers, "log1p"), np.log1p(numbers.astype(np.float64))
    assert np.abs(found - exact).max() < 3e-7
    assert found[0] == 0.0 and (np.abs(found[numbers > 0] / exact[numbers > 0] - 1) < 1e-6).all()


def test_softplus_and_sigmoid_are_those_of_float64():
    numbers = np.concatenate([np.linspace(-80, 80, 100_001), [0.0, -0.0, 1e-30, -1e-30]]).astype(np.float32)
    exact = numbers.astype(np.float64)
    raised = np.logaddexp(0.0, exact) + np.exp(-np.abs(exact))
    np.testing.assert_allclose(evaluate(numbers, "softplus"), raised, rtol=5e-7, atol=1e-35)
    np.testing.assert_allclose(evaluate(numbers, "sigmoid"), 1.0 / (1.0 + np.exp(-exact)), rtol=5e-7)
