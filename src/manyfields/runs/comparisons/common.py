"""What comparisons of runs have in common: progress by name, time, and quality while fitting."""

from collections.abc import Mapping
from pathlib import Path

from manyfields.evaluation.report import Chart, Curve
from manyfields.fitting.progress import Progress
from manyfields.runs.record import RunRecord
from manyfields.runs.reporting import HELD_OUT_CHARTS


def named(progress: Progress, name: str) -> Progress:
    """Progress of one of the runs that are compared."""

    def report(phase: str, done: int, total: int, **figures: float | int | str) -> None:
        progress(f"{name}, {phase}", done, total, **figures)

    return report


def fit_seconds(record: RunRecord) -> float:
    """Of all stages of a run, without what compressing it took."""
    return sum(value for key, value in record.seconds.items() if "/" not in key and key != "compress")


def quality_charts(runs: Mapping[str, Path]) -> tuple[Chart, ...]:
    """Held-out PSNR, and that of the foreground, over the time spent fitting: a curve for each run."""
    records = {name: RunRecord.load(run) for name, run in runs.items()}
    charts = []
    for key, title in HELD_OUT_CHARTS.items():
        curves = []
        for name, record in records.items():
            points = [point for point in record.curves if point.get(key) is not None]
            curves.append(Curve(name, tuple(p["seconds"] for p in points), tuple(p[key] for p in points)))
        charts.append(Chart(title, "dB", tuple(curve for curve in curves if curve.values)))
    return tuple(charts)
