"""Bjontegaard deltas: how far two rate-distortion curves lie apart on average (VCEG-M33, 2001).

    BD-rate   mean over the PSNR that both curves reach of log10 rate(PSNR), as a difference: percent of rate
    BD-PSNR   mean over the log10 rate that both curves have of PSNR(log10 rate), as a difference: dB

Negative BD-rate and positive BD-PSNR: the tested curve is the better one. `cubic` fits one polynomial of degree 3 to a
curve, as VCEG-M33 does; it may swing between points that lie far apart. `pchip` (what HEVC's and VVC's common test
conditions use) and `akima` (Herglotz et al. 2022) pass through the points, and stay near them.

A mean over what two curves have in common says little where that is a small part of either. So each figure comes with
the overlap, as a share of the smaller of the two ranges, and below half of it there is no figure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from manyfields.errors import ConfigError

Method = Literal["cubic", "pchip", "akima"]
LEAST_POINTS = {"cubic": 4, "pchip": 2, "akima": 3}
LEAST_OVERLAP = 0.5
"""Share of the smaller range that both curves must have."""

Integral = Callable[[float, float], float]


@dataclass(frozen=True)
class RateCurve:
    """Points of one codec on one content. Rates in any unit that is that of the other curve, above 0; PSNR in dB.

    Raises ConfigError where numbers are missing or have no meaning. The order of the points does not matter.
    """

    name: str
    rates: Sequence[float]
    psnr: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.psnr):
            raise ConfigError(f"curve {self.name!r}: {len(self.rates)} rates, but {len(self.psnr)} figures of PSNR")
        if not all(np.isfinite(self.psnr)) or not all(np.isfinite(rate) and rate > 0 for rate in self.rates):
            raise ConfigError(f"curve {self.name!r}: rates must be above 0, and PSNR finite")


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard delta, and how much of the curves it speaks of.

    `value` is percent (BD-rate) or dB (BD-PSNR); None where there is no figure, and `reason` says why. `overlap`, 0 to
    1: the stretch that both curves have, as a share of the smaller of their two ranges: of PSNR for BD-rate, of the
    logarithm of rates for BD-PSNR.
    """

    value: float | None
    overlap: float
    reason: str | None = None


def bd_rate(anchor: RateCurve, test: RateCurve, method: Method = "cubic") -> Delta:
    """Percent of rate that `test` takes more than `anchor` (below 0: less) for the same PSNR, on average.

    There is no figure for curves that have too few points, do not rise, or have less than half of the smaller range of
    PSNR in common. Raises ConfigError for a method that is not known, and for a curve beside itself.

    >>> bd_rate(RateCurve("a", [1, 2, 4, 8], [30, 33, 36, 39]), RateCurve("b", [2, 4, 8, 16], [30, 33, 36, 39])).overlap
    1.0
    >>> bd_rate(RateCurve("a", [1, 2, 4, 8], [30, 33, 36, 39]), RateCurve("b", [1, 2, 4, 8], [38, 40, 42, 44])).reason
    "curves 'a' and 'b' have 17 % of the smaller range of PSNR in common, and 50 % are needed: measure more points"
    """
    found = _delta(anchor, test, method, swapped=True)
    return found if found.value is None else replace(found, value=100.0 * (10.0**found.value - 1.0))


def bd_psnr(anchor: RateCurve, test: RateCurve, method: Method = "cubic") -> Delta:
    """dB that `test` lies above `anchor` at the same rate, on average; as `bd_rate`, over the logarithm of rates.

    >>> found = bd_psnr(RateCurve("a", [1, 2, 4, 8], [30, 33, 36, 39]), RateCurve("b", [2, 4, 8, 16], [30, 33, 36, 39]))
    >>> round(found.value), round(found.overlap, 2)
    (-3, 0.67)
    """
    return _delta(anchor, test, method, swapped=False)


def psnr_overlap(anchor: RateCurve, test: RateCurve) -> float:
    """The PSNR that both curves reach, as a share of the smaller of their two ranges of PSNR, 0 to 1.

    >>> psnr_overlap(RateCurve("a", [1, 2, 4], [30, 33, 36]), RateCurve("b", [1, 2], [35, 37]))
    0.5
    """
    return _overlap(anchor.psnr, test.psnr)


def rate_overlap(anchor: RateCurve, test: RateCurve) -> float:
    """The log10 rates that both curves have, as a share of the smaller of their two ranges, 0 to 1.

    >>> rate_overlap(RateCurve("a", [1, 10, 100], [30, 33, 36]), RateCurve("b", [10, 1000], [35, 37]))
    0.5
    """
    return _overlap(np.log10(anchor.rates), np.log10(test.rates))


def _overlap(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    if not len(one) or not len(other):
        return 0.0
    low, high = _common([one, other])
    smaller = float(min(np.ptp(one), np.ptp(other)))
    return min(1.0, max(0.0, high - low) / smaller) if smaller else 0.0


def _delta(anchor: RateCurve, test: RateCurve, method: Method, swapped: bool) -> Delta:
    """Mean of test's values minus anchor's over what they have in common: of log10 rates if `swapped`, else of PSNR."""
    if anchor.name == test.name:
        raise ConfigError(f"curve {test.name!r} is compared with itself: give the two curves names of their own")
    if method not in get_args(Method):
        raise ConfigError(f"method {method!r}: one of {', '.join(get_args(Method))}")
    shared = psnr_overlap(anchor, test) if swapped else rate_overlap(anchor, test)
    fault = _fault(anchor, method) or _fault(test, method)
    if fault is None and shared < LEAST_OVERLAP:
        fault = (
            f"curves {anchor.name!r} and {test.name!r} have {100 * shared:.0f} % of the smaller range of "
            f"{'PSNR' if swapped else 'log rate'} in common, and {100 * LEAST_OVERLAP:.0f} % are needed: measure more "
            "points"
        )
    if fault is not None:
        return Delta(None, shared, fault)
    sides = [_log_curve(curve) for curve in (anchor, test)]
    if swapped:
        sides = [(psnr, rates) for rates, psnr in sides]
    return Delta(_mean_difference(sides, method), shared)


def _fault(curve: RateCurve, method: Method) -> str | None:
    """Why a curve has no delta with any other."""
    if len(curve.rates) < LEAST_POINTS[method]:
        return (
            f"curve {curve.name!r} has {len(curve.rates)} points, and {method!r} needs {LEAST_POINTS[method]}: "
            "measure more of them"
        )
    points = sorted(zip(curve.rates, curve.psnr, strict=True))
    for (rate, psnr), (next_rate, next_psnr) in zip(points, points[1:], strict=False):
        if next_rate == rate or next_psnr <= psnr:
            return (
                f"curve {curve.name!r} does not rise: {psnr:.3f} dB at {rate:,.0f}, {next_psnr:.3f} dB at "
                f"{next_rate:,.0f}; leave out one of the two points"
            )
    return None


def _log_curve(curve: RateCurve) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """log10 rates, rising, and their PSNR, rising as well."""
    rates, found = np.asarray(sorted(zip(curve.rates, curve.psnr, strict=True)), dtype=np.float64).T
    return np.log10(rates), found


def _mean_difference(sides: Sequence[tuple[np.ndarray, np.ndarray]], method: Method) -> float:
    """Mean of test's values minus anchor's, over the stretch of the axis on which both have points."""
    low, high = _common([places for places, _ in sides])
    of_anchor, of_test = (_integral(*side, method)(low, high) for side in sides)
    return (of_test - of_anchor) / (high - low)


def _common(axes: Sequence[Sequence[float] | np.ndarray]) -> tuple[float, float]:
    return float(max(min(places) for places in axes)), float(min(max(places) for places in axes))


def _integral(places: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], method: Method) -> Integral:
    """The definite integral of the curve through (or, for five points and more, by `cubic`, near) these points."""
    if method == "cubic":
        summed = np.polynomial.Polynomial.fit(places, values, 3).integ()
        return lambda low, high: float(summed(high) - summed(low))
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    through = (PchipInterpolator if method == "pchip" else Akima1DInterpolator)(places, values)
    return lambda low, high: float(through.integrate(low, high))
