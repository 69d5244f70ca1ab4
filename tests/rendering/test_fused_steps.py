"""The steps of the compiled kernels that approximate something, against numpy in float64."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from manyfields.rendering.fused_steps import exponential, log1p  # noqa: E402


@numba.njit
def of_all(numbers, which, found):
    for i in range(len(numbers)):
        found[i] = exponential(numbers[i]) if which else log1p(numbers[i])


def evaluate(numbers: np.ndarray, which: bool) -> np.ndarray:
    found = np.zeros_like(numbers)
    of_all(numbers, which, found)
    return found.astype(np.float64)


def test_exponential_is_within_two_parts_in_ten_million():
    # Doubled steps near 0 as well, where most optical depths lie.
    small = np.float32(2.0) ** -np.arange(0, 40, dtype=np.float32)
    numbers = np.concatenate([np.linspace(-87, 88, 200_001, dtype=np.float32), small, -small, np.zeros(1, np.float32)])
    found, exact = evaluate(numbers, True), np.exp(numbers.astype(np.float64))
    assert np.abs(found / exact - 1).max() < 2e-7
    assert found[-1] == 1.0


def test_exponential_of_what_is_too_small_or_too_large_is_that_of_the_ends():
    low, high, least, most = evaluate(np.array([-1e30, 1e30, -87, 88], np.float32), True)
    assert low == least < 2e-38 and high == most > 1e38


def test_log1p_is_within_three_parts_in_ten_million():
    numbers = np.concatenate([np.linspace(0, 1, 100_001, dtype=np.float32), np.float32(2.0) ** -np.arange(1, 60)])
    numbers = numbers.astype(np.float32)
    found, exact = evaluate(numbers, False), np.log1p(numbers.astype(np.float64))
    assert np.abs(found - exact).max() < 3e-7
    assert found[0] == 0.0 and (np.abs(found[numbers > 0] / exact[numbers > 0] - 1) < 1e-6).all()
