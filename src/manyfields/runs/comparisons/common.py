"""What comparisons of runs have in common: progress by name, time, and quality while fitting."""

from pathlib import Path

from manyfields.evaluation.report import Curve
from manyfields.fitting.progress import Progress
from manyfields.runs.record import RunRecord


def named(progress: Progress, name: str) -> Progress:
    """Progress of one of the runs that are compared."""

    def report(phase: str, done: int, total: int, **figures: float | int | str) -> None:
        progress(f"{name}, {phase}", done, total, **figures)

    return report


def fit_seconds(record: RunRecord) -> float:
    """Of all stages of a run, without what compressing it took."""
    return sum(value for key, value in record.seconds.items() if "/" not in key and key != "compress")


def quality(run: Path, name: str) -> Curve:
    """Held-out PSNR over the time spent fitting."""
    points = [point for point in RunRecord.load(run).curves if point.get("held_out_psnr") is not None]
    return Curve(name, tuple(p["seconds"] for p in points), tuple(p["held_out_psnr"] for p in points))
