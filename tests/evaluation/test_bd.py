import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.evaluation.bd import RateCurve, bd_psnr, bd_rate, overlap

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
    assert bd_rate(*pair, method) == pytest.approx(rate, rel=1e-9)
    assert bd_psnr(*pair, method) == pytest.approx(psnr, rel=1e-9)


def test_an_example_with_a_published_figure():
    # videonerd.website, "How compute BD-rate": x264 against x265 on one sequence, -12.098 %.
    x265 = RateCurve("x265", [8.914, 13.330, 17.880, 22.990], [37.02, 38.37, 39.42, 40.35])
    x264 = RateCurve("x264", [9.525, 14.27, 19.113, 24.393], [37.73, 39.07, 40.07, 40.95])
    assert bd_rate(x265, x264) == pytest.approx(-12.098, abs=1e-3)


RISING = st.lists(st.floats(0.05, 2.0), min_size=4, max_size=7)


@given(RISING, RISING, st.floats(0.5, 2.0), st.sampled_from(["pchip", "akima"]))
def test_a_curve_that_costs_a_constant_factor_more(steps, gains, factor, method):
    rates = 1000 * 10 ** np.cumsum(steps)
    psnr = 25 + np.cumsum((gains * len(steps))[: len(steps)])
    once, more = RateCurve("once", rates, psnr), RateCurve("more", factor * rates, psnr)
    assert bd_rate(once, more, method) == pytest.approx(100 * (factor - 1), abs=1e-6)
    there, back = bd_rate(once, more, method), bd_rate(more, once, method)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1.0)
    assert overlap(once, more) == pytest.approx(1.0)
    above = RateCurve("above", rates, psnr + 0.5)
    assert bd_psnr(once, above, method) == pytest.approx(0.5)


def test_points_may_come_in_any_order():
    shuffled = RateCurve("test", M33[1].rates[::-1], M33[1].psnr[::-1])
    assert bd_rate(M33[0], shuffled) == pytest.approx(bd_rate(*M33))


def test_more_points_than_a_cubic_has_are_fitted():
    rates = [2.0**n for n in range(7)]
    psnr = [30 + 2 * n for n in range(7)]
    assert bd_psnr(RateCurve("a", rates, psnr), RateCurve("b", rates, [p + 1 for p in psnr])) == pytest.approx(1.0)


LOW = RateCurve("low", [1, 2, 3, 4], [20, 21, 22, 23])


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (RateCurve("high", [1, 2, 3, 4], [30, 31, 32, 33]), "'low' and 'high' do not overlap in PSNR"),
        (RateCurve("few", [1, 2, 3], [20, 21, 22]), "'few' has 3 points, and 'cubic' needs 4"),
        (RateCurve("falls", [1, 2, 3, 4], [20, 22, 21, 23]), "'falls' does not rise: 22.000 dB at 2, 21.000 dB at 3"),
        (RateCurve("twice", [1, 2, 2, 4], [20, 21, 22, 23]), "'twice' does not rise"),
        (RateCurve("low", [1, 2, 3, 5], [20, 21, 22, 23]), "compared with itself"),
    ],
)
def test_curves_without_a_delta_are_refused(test, message):
    with pytest.raises(ConfigError, match=message):
        bd_rate(LOW, test)


def test_other_refusals():
    far = RateCurve("far", [100, 200, 300, 400], [20, 21, 22, 23])
    with pytest.raises(ConfigError, match="do not overlap in rate"):
        bd_psnr(LOW, far)
    assert overlap(LOW, RateCurve("high", [1, 2, 3, 4], [30, 31, 32, 33])) == 0.0
    with pytest.raises(ConfigError, match="above 0"):
        RateCurve("zero", [0.0, 1.0], [20, 21])
    with pytest.raises(ConfigError, match="PSNR finite"):
        RateCurve("infinite", [1.0], [math.inf])
    with pytest.raises(ConfigError, match="2 rates, but 1"):
        RateCurve("short", [1.0, 2.0], [20])
    with pytest.raises(ConfigError, match="one of cubic, pchip, akima"):
        bd_rate(LOW, far, "spline")
