"""Charts as inline SVG: light, crisp, and in the colours of the page (dark or light), which its stylesheet sets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from manyfields.evaluation.report.data import Chart, Curve
from manyfields.evaluation.units import three_digits

SERIES = 6  # colours in the stylesheet; further curves repeat them dashed
WIDTH, HEIGHT = 500, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 42


@dataclass(frozen=True)
class Axis:
    """A range of values on a range of pixels, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        low, high, value = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            return nice_ticks(self.low, self.high)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for steps in ((1,), (1, 3), (1, 2, 5)):
            found = [s * 10.0**d for d in decades for s in steps if self.low <= s * 10.0**d <= self.high]
            if len(found) >= 3:
                break
        return found


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, `about` of them, 1, 2, 2.5 or 5 times a power of ten apart."""
    raw = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = min((s * magnitude for s in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(chart: Chart) -> str:
    """Curves, with a legend that gives their last values. Empty where no curve has a drawable point."""
    curves = [clean for curve in chart.curves if (clean := _drawable(curve, chart)).places]
    if not curves:
        return ""
    across, unit, size = _across(chart, curves)
    low = min(min(curve.values) for curve in curves)
    high = max(max(curve.values) for curve in curves)
    low, high = _room(low, high, chart.logarithmic)
    up = Axis(low, high, HEIGHT - BOTTOM, TOP, chart.logarithmic)
    lines = "".join(_line(curve, i, across, up, size, chart.unit, unit) for i, curve in enumerate(curves))
    legend = "".join(
        f'<li><i class="key s{i % SERIES}{" dashed" if i >= SERIES else ""}"></i>{escape(curve.name)} '
        f"<b>{_number(curve.values[-1])}{_suffix(chart.unit)}</b></li>"
        for i, curve in enumerate(curves)
    )
    note = f"<p class=note>{escape(chart.note)}</p>" if chart.note else ""
    return (
        f"<figure class=chart><figcaption>{escape(chart.title)}</figcaption><ul class=legend>{legend}</ul>"
        f"{_frame(across, up, f'{_LABELS[chart.across]}, {unit}', chart.unit, lines, chart.title)}{note}</figure>"
    )


def histogram(values: Sequence[float], title: str, unit: str, bins: int = 12) -> str:
    """How many values fall into each of some round, equal bins; the mean is marked."""
    array = np.asarray([value for value in values if math.isfinite(value)], dtype=np.float64)
    if len(array) < 2 or array.min() == array.max():
        return ""
    edges = np.asarray(nice_ticks(array.min(), array.max(), bins))
    step = float(edges[1] - edges[0])
    edges = np.arange(math.floor(array.min() / step), math.floor(array.max() / step) + 2) * step
    counts, _ = np.histogram(array, edges)
    across = Axis(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    up = Axis(0.0, float(counts.max()) * 1.08, HEIGHT - BOTTOM, TOP)
    floor = up.place(0)
    bars = "".join(
        f'<rect class=bar x="{across.place(left) + 1:.1f}" y="{up.place(count):.1f}" '
        f'width="{across.place(right) - across.place(left) - 2:.1f}" height="{floor - up.place(count):.1f}">'
        f"<title>{left:g} to {right:g}{_suffix(unit)}: {count}</title></rect>"
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    )
    at = across.place(float(array.mean()))
    anchor = "end" if at > WIDTH / 2 else "start"
    mean = (
        f'<line class=mark x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{floor:.1f}"/>'
        f'<text class=marktext x="{at + (-6 if anchor == "end" else 6):.1f}" y="{TOP + 10}" text-anchor="{anchor}">'
        f"mean {_number(float(array.mean()))}{_suffix(unit)}</text>"
    )
    return (
        f"<figure class=chart><figcaption>{escape(title)}</figcaption>"
        f"{_frame(across, up, unit, 'objects', bars + mean, title, whole=True)}</figure>"
    )


_LABELS = {"time": "wall time", "bytes": "size"}
_UNITS = {
    "time": (("s", 1.0, 180.0), ("min", 60.0, 3 * 3600.0), ("h", 3600.0, math.inf)),
    "bytes": (("B", 1.0, 3e3), ("kB", 1e3, 3e6), ("MB", 1e6, math.inf)),
}


def _across(chart: Chart, curves: Sequence[Curve]) -> tuple[Axis, str, float]:
    """The axis across, its unit, and how much of places that is."""
    last = max(max(curve.places) for curve in curves)
    unit, size = next((u, s) for u, s, limit in _UNITS[chart.across] if last < limit)
    if chart.across == "time":
        return Axis(0.0, max(last / size, 1e-6), LEFT, WIDTH - RIGHT), unit, size
    low, high = _room(min(min(curve.places) for curve in curves) / size, last / size, logarithmic=True)
    return Axis(low, high, LEFT, WIDTH - RIGHT, logarithmic=True), unit, size


def _line(curve: Curve, index: int, across: Axis, up: Axis, size: float, unit: str, unit_across: str) -> str:
    points = [(across.place(t / size), up.place(v)) for t, v in zip(curve.places, curve.values, strict=True)]
    path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    style = f"s{index % SERIES}{' dashed' if index >= SERIES else ''}"
    dots = ""
    if len(points) <= 60:  # a measured point can be pointed at; a dense loss curve stays a plain line
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{escape(curve.name)}: {_number(value)}{_suffix(unit)} '
            f"at {_number(place / size)} {unit_across}{f', step {curve.steps[i]:,}' if curve.steps else ''}"
            "</title></circle>"
            for i, ((x, y), place, value) in enumerate(zip(points, curve.places, curve.values, strict=True))
        )
    return f'<g class="curve {style}"><path d="{path}"/>{dots}</g>'


def _frame(across: Axis, up: Axis, x_label: str, y_label: str, inside: str, title: str, whole: bool = False) -> str:
    floor = HEIGHT - BOTTOM
    ticks = [t for t in up.ticks() if not whole or t == int(t)]
    grid = "".join(
        f'<line class=grid x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up.place(t):.1f}" y2="{up.place(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{up.place(t) + 4:.1f}" text-anchor=end>{t:g}</text>'
        for t in ticks
    )
    below = "".join(
        f'<text x="{across.place(t):.1f}" y="{floor + 17}" text-anchor=middle>{t:g}</text>' for t in across.ticks()
    )
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="{escape(title)}">{grid}'
        f'<line class=axis x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>{below}'
        f'<text class=label x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor=middle>{escape(x_label)}</text>'
        f'<text class=label transform="translate(12 {(TOP + floor) / 2:.0f}) rotate(-90)" '
        f"text-anchor=middle>{escape(y_label)}</text>{inside}</svg>"
    )


def _drawable(curve: Curve, chart: Chart) -> Curve:
    """Without the points that no axis can hold, thinned to about as many as there are pixels."""
    kept = [
        i
        for i, (place, value) in enumerate(zip(curve.places, curve.values, strict=True))
        if math.isfinite(place) and math.isfinite(value) and (value > 0 or not chart.logarithmic)
        if place > 0 or chart.across == "time"
    ]
    stride = max(1, len(kept) // 500)
    kept = sorted({*kept[::stride], *kept[-1:]})
    return Curve(
        curve.name,
        tuple(curve.places[i] for i in kept),
        tuple(curve.values[i] for i in kept),
        tuple(curve.steps[i] for i in kept) if curve.steps else (),
    )


def _room(low: float, high: float, logarithmic: bool) -> tuple[float, float]:
    """A little air above and below the data."""
    if logarithmic:
        return (low / 1.15, high * 1.15)
    air = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return (low - air, high + air)


def _number(value: float) -> str:
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else three_digits(value)


def _suffix(unit: str) -> str:
    return f" {escape(unit)}" if unit else ""
