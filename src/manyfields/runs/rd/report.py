"""The report of `rd`: curves in one chart, points in one table, deltas in words."""

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from manyfields._version import __version__
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.report import Chart, Comparison, Curve, ReportData, Variant, write_report
from manyfields.evaluation.scores import Scores

NOTE = "Bytes of an object with all that is needed to render it; held-out views from decoded bytes. Means over objects."


def write_rd_report(path: Path, kept: dict[str, Any]) -> None:
    """Write the report of what rd.json holds."""
    whole = kept["uncompressed"]
    variants = [Variant("uncompressed", _scores(whole), object_bytes=whole["bytes"])]
    curves = []
    for name, curve in kept["curves"].items():
        points = sorted(curve["points"], key=lambda point: point["bytes"])
        curves.append(Curve(name, tuple(p["bytes"] for p in points), tuple(p["psnr"] for p in points)))
        variants += [
            Variant(
                f"{name}, {curve['knob']} {point['value']:g}",
                _scores(point),
                seconds=point["seconds"],
                object_bytes=point["bytes"],
                note=", ".join(f"{part} {size:,.0f}" for part, size in point["parts"].items()),
            )
            for point in points
        ]
    chart = Chart("PSNR against bytes", "dB", tuple(curves), across="bytes")
    write_report(
        path,
        ReportData(
            title=f"{kept['run']}: rate and distortion",
            when=time.strftime("%Y-%m-%dT%H:%M:%S"),
            machine=describe_machine().line,
            version=__version__,
            comparison=Comparison(tuple(variants), chart, NOTE),
            notes=tuple(delta_line(row) for row in kept["deltas"]),
        ),
    )


def delta_line(row: dict[str, Any]) -> str:
    """One delta in words.

    >>> row = {"anchor": "a", "test": "b", "overlap": 1.0, "bd_rate_percent": -30.0, "bd_psnr_db": 0.5, "reason": None}
    >>> delta_line(row)
    'b against a: BD-rate -30.00 %, BD-PSNR +0.500 dB; 100 % of the PSNR of both in common'
    """
    pair = f"{row['test']} against {row['anchor']}"
    if row["bd_rate_percent"] is None:
        return f"{pair}: no delta, {row['reason']}"
    rate, shared = (
        f"BD-rate {row['bd_rate_percent']:+.2f} %",
        f"{100 * row['overlap']:.0f} % of the PSNR of both in common",
    )
    if row["bd_psnr_db"] is None:
        return f"{pair}: {rate}; {shared}; no BD-PSNR, {row['reason']}"
    return f"{pair}: {rate}, BD-PSNR {row['bd_psnr_db']:+.3f} dB; {shared}"


def _scores(values: dict[str, Any]) -> Scores:
    return Scores(**{field.name: values.get(field.name) for field in fields(Scores)})
