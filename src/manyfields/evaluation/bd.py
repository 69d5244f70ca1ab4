"""Bjontegaard deltas: how far two rate-distortion curves lie apart on average (VCEG-M33, 2001).

    BD-rate   mean over the PSNR that both curves reach of log10 rate(PSNR), as a difference: percent of rate
    BD-PSNR   mean over the log10 rate that both curves have of PSNR(log10 rate), as a difference: dB

Negative BD-rate and positive BD-PSNR: the tested curve is the better one. `cubic` fits one polynomial of degree 3 to a
curve, as VCEG-M33 does; it may swing between points that lie far apart. `pchip` (what HEVC's and VVC's common test
conditions use) and `akima` (Herglotz et al. 2022) pass through the points, and stay near them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from manyfields.errors import ConfigError

Method = Literal["cubic", "pchip", "akima"]
LEAST_POINTS = {"cubic": 4, "pchip": 2, "akima": 3}

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


def bd_rate(anchor: RateCurve, test: RateCurve, method: Method = "cubic") -> float:
    """Percent of rate that `test` takes more than `anchor` (below 0: less) for the same PSNR, on average.

    Raises ConfigError for curves that have too few points, do not rise, or do not overlap.

    >>> round(bd_rate(RateCurve("a", [1, 2, 4, 8], [30, 33, 36, 39]), RateCurve("b", [2, 4, 8, 16], [30, 33, 36, 39])))
    100
    """
    _check_pair(anchor, test)
    sides = [_log_curve(curve, method) for curve in (anchor, test)]
    swapped = [(psnr, rates) for rates, psnr in sides]
    return 100.0 * (10.0 ** _mean_difference(swapped, method, anchor, test, "PSNR") - 1.0)


def bd_psnr(anchor: RateCurve, test: RateCurve, method: Method = "cubic") -> float:
    """dB that `test` lies above `anchor` at the same rate, on average. Raises ConfigError as `bd_rate` does.

    >>> round(bd_psnr(RateCurve("a", [1, 2, 4, 8], [30, 33, 36, 39]), RateCurve("b", [2, 4, 8, 16], [30, 33, 36, 39])))
    -3
    """
    _check_pair(anchor, test)
    return _mean_difference([_log_curve(curve, method) for curve in (anchor, test)], method, anchor, test, "rate")


def overlap(anchor: RateCurve, test: RateCurve) -> float:
    """Share of the PSNR that either curve reaches which both reach, 0 to 1: near 0, deltas say little."""
    low, high = _common([anchor.psnr, test.psnr])
    whole = max(*anchor.psnr, *test.psnr) - min(*anchor.psnr, *test.psnr)
    return max(0.0, high - low) / whole if whole else 0.0


def _check_pair(anchor: RateCurve, test: RateCurve) -> None:
    if anchor.name == test.name:
        raise ConfigError(f"curve {test.name!r} is compared with itself: give the two curves names of their own")


def _log_curve(curve: RateCurve, method: Method) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """log10 rates, rising, and their PSNR, rising as well."""
    if method not in get_args(Method):
        raise ConfigError(f"method {method!r}: one of {', '.join(get_args(Method))}")
    if len(curve.rates) < LEAST_POINTS[method]:
        raise ConfigError(
            f"curve {curve.name!r} has {len(curve.rates)} points, and {method!r} needs {LEAST_POINTS[method]}: "
            "measure more of them"
        )
    points = sorted(zip(curve.rates, curve.psnr, strict=True))
    for (rate, psnr), (next_rate, next_psnr) in zip(points, points[1:], strict=False):
        if next_rate == rate or next_psnr <= psnr:
            raise ConfigError(
                f"curve {curve.name!r} does not rise: {psnr:.3f} dB at {rate:,.0f}, {next_psnr:.3f} dB at "
                f"{next_rate:,.0f}; leave out one of the two points"
            )
    rates, found = np.asarray(points, dtype=np.float64).T
    return np.log10(rates), found


def _mean_difference(
    sides: Sequence[tuple[np.ndarray, np.ndarray]], method: Method, anchor: RateCurve, test: RateCurve, axis: str
) -> float:
    """Mean of test's values minus anchor's, over the stretch of the axis on which both have points."""
    low, high = _common([places for places, _ in sides])
    if low >= high:
        raise ConfigError(
            f"curves {anchor.name!r} and {test.name!r} do not overlap in {axis}: measure points between them"
        )
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
