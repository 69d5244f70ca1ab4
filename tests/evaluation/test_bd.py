import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.evaluation.bd import RateCurve, bd_psnr, bd_rate, psnr_overlap, rate_overlap

# kbit/s and dB: the example of VCEG-M33 that most implementations are shown with.
M33 = (
    RateCurve("anchor", [686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42]),
    RateCurve("test", [893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24]),
)
# The example in the README of the package `bjontegaard` (libx265 with two presets).
X265 = (
    RateCurve("anchor", [9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    RateCurve("test", [9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
)


@pytest.mark.parametrize(
    ("pair", "method", "rate", "psnr"),
    [
        # What the package `bjontegaard` 1.3.0 (FAU-LMS), which was tested against JVET's spreadsheet, gives for them.
        (M33, "cubic", 31.397374054908656, -1.184897921770328),
        (M33, "pchip", 31.379878202397627, -1.1834724046224592),
        (M33, "akima", 31.38398898434116, -1.183658970073208),
        (X265, "cubic", -4.420462706026296, 0.12040941911471303),
        (X265, "pchip", -4.417485350589045, 0.11969278542479489),
        (X265, "akima", -4.425245156997493, 0.11940927028529469),
    ],
)
def test_published_examples(pair, method, rate, psnr):
    assert bd_rate(*pair, method).value == pytest.approx(rate, rel=1e-9)
    assert bd_psnr(*pair, method).value == pytest.approx(psnr, rel=1e-9)


def test_an_example_with_a_published_figure():
    # videonerd.website, "How compute BD-rate": x264 against x265 on one sequence, -12.098 %.
    x265 = RateCurve("x265", [8.914, 13.330, 17.880, 22.990], [37.02, 38.37, 39.42, 40.35])
    x264 = RateCurve("x264", [9.525, 14.27, 19.113, 24.393], [37.73, 39.07, 40.07, 40.95])
    assert bd_rate(x265, x264).value == pytest.approx(-12.098, abs=1e-3)


RISING = st.lists(st.floats(0.05, 2.0), min_size=4, max_size=7)


@given(RISING, RISING, st.floats(0.5, 2.0), st.sampled_from(["pchip", "akima"]))
def test_a_curve_that_costs_a_constant_factor_more(steps, gains, factor, method):
    rates = 1000 * 10 ** np.cumsum(steps)
    psnr = 25 + np.cumsum((gains * len(steps))[: len(steps)])
    once, more = RateCurve("once", rates, psnr), RateCurve("more", factor * rates, psnr)
    there, back = bd_rate(once, more, method), bd_rate(more, once, method)
    assert there.value == pytest.approx(100 * (factor - 1), abs=1e-6) and there.overlap == pytest.approx(1.0)
    assert (1 + there.value / 100) * (1 + back.value / 100) == pytest.approx(1.0)
    above = RateCurve("above", rates, psnr + 0.5)
    assert bd_psnr(once, above, method).value == pytest.approx(0.5)


def straight(name: str, first: float, last: float, lift: float = 0.0) -> RateCurve:
    """Four points from 10^first to 10^last bytes, 10 dB more for ten times the bytes."""
    exponents = np.linspace(first, last, 4)
    return RateCurve(name, 10**exponents, 10 * exponents + lift)


@given(st.floats(0.0, 4.0), st.sampled_from(["cubic", "pchip", "akima"]))
def test_the_further_a_curve_is_shifted_the_less_is_in_common(shift, method):
    # Along its own line by a share `shift` of its length: what is left in common is 1 - shift of either.
    here, there = straight("here", 2, 4), straight("there", 2 + 2 * shift, 4 + 2 * shift)
    expected = max(0.0, 1.0 - shift)
    for measure, overlap in ((bd_rate, psnr_overlap), (bd_psnr, rate_overlap)):
        found = measure(here, there, method)
        assert found.overlap == overlap(here, there) == pytest.approx(expected)
        if abs(shift - 0.5) > 1e-6:
            assert (found.value is None) == (shift > 0.5)
        if found.value is not None:
            assert found.value == pytest.approx(0.0, abs=1e-6) and found.reason is None
        else:
            assert "of the smaller range of" in found.reason and "50 % are needed" in found.reason


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.1, 3.0))
def test_one_inside_the_other_is_all_of_the_smaller_range(one, other, lift):
    low, high = sorted((2 + 4 * one, 2 + 4 * other + 0.02))
    outer, inner = straight("outer", 2, 6.5), straight("inner", low, high)
    assert rate_overlap(outer, inner) == rate_overlap(inner, outer) == pytest.approx(1.0)
    assert psnr_overlap(outer, inner) == pytest.approx(1.0)
    lifted = RateCurve("lifted", inner.rates, np.asarray(inner.psnr) + lift)
    assert bd_psnr(outer, lifted, "pchip").value == pytest.approx(lift)


def test_both_overlaps_are_those_made_by_hand():
    # PSNR 30 to 36 beside 34 to 44: 2 dB of the smaller 6; rates 1 to 100 beside 10 to 1000: one decade of two.
    one = RateCurve("one", [1, 5, 20, 100], [30, 32, 34, 36])
    other = RateCurve("other", [10, 50, 200, 1000], [34, 37, 40, 44])
    assert psnr_overlap(one, other) == pytest.approx(1 / 3)
    assert rate_overlap(one, other) == pytest.approx(1 / 2)
    rate, psnr = bd_rate(one, other), bd_psnr(one, other, "pchip")
    assert rate.value is None and "33 % of the smaller range of PSNR" in rate.reason
    assert psnr.value is not None and psnr.overlap == pytest.approx(1 / 2)
    point = RateCurve("point", [10], [33])
    assert psnr_overlap(one, point) == rate_overlap(one, point) == 0.0  # no range


def test_points_may_come_in_any_order():
    shuffled = RateCurve("test", M33[1].rates[::-1], M33[1].psnr[::-1])
    assert bd_rate(M33[0], shuffled).value == pytest.approx(bd_rate(*M33).value)


def test_more_points_than_a_cubic_has_are_fitted():
    rates = [2.0**n for n in range(7)]
    psnr = [30 + 2 * n for n in range(7)]
    found = bd_psnr(RateCurve("a", rates, psnr), RateCurve("b", rates, [p + 1 for p in psnr]))
    assert found.value == pytest.approx(1.0)


LOW = RateCurve("low", [1, 2, 3, 4], [20, 21, 22, 23])


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (RateCurve("high", [1, 2, 3, 4], [30, 31, 32, 33]), "'low' and 'high' have 0 % of the smaller range of PSNR"),
        (RateCurve("few", [1, 2, 3], [20, 21, 22]), "'few' has 3 points, and 'cubic' needs 4"),
        (RateCurve("falls", [1, 2, 3, 4], [20, 22, 21, 23]), "'falls' does not rise: 22.000 dB at 2, 21.000 dB at 3"),
        (RateCurve("twice", [1, 2, 2, 4], [20, 21, 22, 23]), "'twice' does not rise"),
        (RateCurve("none", [], []), "'none' has 0 points"),
    ],
)
def test_curves_without_a_delta_say_why(test, message):
    found = bd_rate(LOW, test)
    assert found.value is None and message in found.reason
    assert bd_rate(test, LOW).value is None


def test_rates_far_apart():
    far = RateCurve("far", [100, 200, 300, 400], [20, 21, 22, 23])
    assert bd_rate(LOW, far).value == pytest.approx(9900.0) and bd_rate(LOW, far).overlap == 1.0
    found = bd_psnr(LOW, far)
    assert found.value is None and found.overlap == 0.0 and "0 % of the smaller range of log rate" in found.reason


def test_refusals():
    with pytest.raises(ConfigError, match="compared with itself"):
        bd_rate(LOW, RateCurve("low", [1, 2, 3, 5], [20, 21, 22, 23]))
    with pytest.raises(ConfigError, match="above 0"):
        RateCurve("zero", [0.0, 1.0], [20, 21])
    with pytest.raises(ConfigError, match="PSNR finite"):
        RateCurve("infinite", [1.0], [math.inf])
    with pytest.raises(ConfigError, match="2 rates, but 1"):
        RateCurve("short", [1.0, 2.0], [20])
    with pytest.raises(ConfigError, match="one of cubic, pchip, akima"):
        bd_rate(LOW, RateCurve("other", [1, 2, 3, 4], [20, 21, 22, 23]), "spline")
