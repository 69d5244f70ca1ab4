"""The report of `rd`: curves in one chart, points in one table, deltas in words."""

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from manyfields._version import __version__
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.report import Chart, Comparison, Curve, ReportData, Variant, write_report
from manyfields.evaluation.scores import Scores

OVERLAP = (
    "Overlap: the stretch that both curves have, as a share of the smaller of their two ranges, of PSNR for BD-rate "
    "and of the logarithm of bytes for BD-PSNR; there is no figure below 50 %."
)
CHARTS = {"PSNR against bytes": "psnr", "Foreground PSNR against bytes": "foreground_psnr"}
NOTE = (
    "Bytes of an object with all that is needed to render it, what objects share divided by {objects}; held-out views "
    "from decoded bytes. Means over objects."
)


def write_rd_report(path: Path, kept: dict[str, Any]) -> None:
    """Write the report of what rd.json holds."""
    whole = kept["uncompressed"]
    objects = kept["shared_by"]
    variants = [Variant("uncompressed", _scores(whole), bytes_with_shared=whole["bytes"], objects=objects)]
    curves: dict[str, list[Curve]] = {title: [] for title in CHARTS}
    for name, curve in kept["curves"].items():
        points = sorted(curve["points"], key=lambda point: point["bytes"])
        for title, quality in CHARTS.items():
            seen = [point for point in points if point[quality] is not None]
            curves[title].append(Curve(name, tuple(p["bytes"] for p in seen), tuple(p[quality] for p in seen)))
        variants += [
            Variant(
                f"{name}, {curve['knob']} {point['value']:g}",
                _scores(point),
                seconds=point["seconds"],
                bytes_with_shared=point["bytes"],
                objects=objects,
                note=", ".join(f"{part} {size:,.0f}" for part, size in point["parts"].items()),
            )
            for point in points
        ]
    charts = tuple(Chart(title, "dB", tuple(each), across="bytes") for title, each in curves.items())
    write_report(
        path,
        ReportData(
            title=f"{kept['run']}: rate and distortion",
            when=time.strftime("%Y-%m-%dT%H:%M:%S"),
            machine=describe_machine().line,
            version=__version__,
            comparison=Comparison(tuple(variants), charts, NOTE.format(objects=f"N = {kept['shared_by']:,}")),
            notes=(*(delta_line(row) for row in kept["deltas"]), *([OVERLAP] if kept["deltas"] else [])),
        ),
    )


def delta_line(row: dict[str, Any]) -> str:
    """One pair of curves in words, by PSNR and, where that was measured, by foreground PSNR.

    >>> row = {"anchor": "a", "test": "b", "bd_rate_percent": -30.0, "bd_rate_overlap": 0.8, "bd_psnr_db": None}
    >>> delta_line({**row, "bd_psnr_overlap": 0.2, "bd_rate_reason": None, "bd_psnr_reason": "rates lie far apart"})
    'b against a: BD-rate -30.00 % (overlap 80 %), BD-PSNR – (overlap 20 %): rates lie far apart'
    """
    found = _in_words(row)
    if "foreground_bd_rate_percent" in row:
        inside = {name.removeprefix("foreground_"): row[name] for name in row if name.startswith("foreground_")}
        found += f". By foreground PSNR: {_in_words(inside)}"
    return f"{row['test']} against {row['anchor']}: {found}"


def _in_words(row: dict[str, Any]) -> str:
    rate, psnr = row["bd_rate_percent"], row["bd_psnr_db"]
    figures = (
        f"BD-rate {'–' if rate is None else f'{rate:+.2f} %'} (overlap {100 * row['bd_rate_overlap']:.0f} %)",
        f"BD-PSNR {'–' if psnr is None else f'{psnr:+.3f} dB'} (overlap {100 * row['bd_psnr_overlap']:.0f} %)",
    )
    reasons = dict.fromkeys(text for text in (row["bd_rate_reason"], row["bd_psnr_reason"]) if text)
    return ", ".join(figures) + (f": {'; '.join(reasons)}" if reasons else "")


def _scores(values: dict[str, Any]) -> Scores:
    return Scores(**{field.name: values.get(field.name) for field in fields(Scores)})
