"""What benchmarks of several subjects share: curves, Tri-Planes to compare with, clocks, memory."""

import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import torch

from manyfields import runs
from manyfields.collection import Collection
from manyfields.runs import RunRecord, presets, settings_to_json


def time_to(curve: list[tuple[float, float]], quality: float) -> float | None:
    """Seconds at which a curve of (seconds, PSNR) first reaches a quality, between its points by a straight line."""
    before = (0.0, 0.0)
    for seconds, value in curve:
        if value >= quality:
            share = (quality - before[1]) / max(value - before[1], 1e-9)
            return before[0] + max(0.0, share) * (seconds - before[0])
        before = (seconds, value)
    return None


def curve_of(run: Path) -> list[tuple[float, float]]:
    points = [p for p in RunRecord.load(run).curves if p.get("held_out_psnr") is not None]
    return [(point["seconds"], point["held_out_psnr"]) for point in points]


def triplanes(data: Path, run: Path, minutes: float, rate: float) -> float:
    """Tri-Planes in RGB at one learning rate; returns the mean held-out PSNR from stored bytes."""
    stored = settings_to_json(presets()["tri-planes"])
    phases = [{**phase, "codes_rate": rate, "fields_rate": rate / 2} for phase in stored["stage1"]]
    runs.fit(
        data,
        run,
        minutes=minutes,
        fitting_alone=True,
        preset="tri-planes",
        stage1=phases,
        resume=run.exists(),
        report=False,
    )
    return runs.evaluate(run)["mean"]["psnr"]


def mean_metric(collection: Collection, metric: str) -> float:
    """Of what was measured when objects were stored, such as psnr or foreground_psnr."""
    return sum(collection.entry(name).metrics[metric] for name in collection) / len(collection)


def total_bytes(collection: Collection) -> float:
    """Of a scene with the shared part."""
    return (sum(collection.entry(name).bytes for name in collection) + collection.sizes()["shared"]) / len(collection)


def peak_memory() -> float:
    """Most megabytes that this process ever had in memory.

    Linux's own account of it first: `ru_maxrss` begins with what the parent had.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        if found:
            return int(found[0].split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def median_seconds(work: Callable[[], object], limit: float = 3.0, least: int = 3, most: int = 50) -> float:
    """Median of as many calls as fit into `limit` seconds, after one that warms up."""
    work()
    spent: list[float] = []
    while len(spent) < least or (len(spent) < most and sum(spent) < limit):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent)


def medians_side_by_side(
    works: Mapping[str, Callable[[], object]], limit: float = 12.0, most: int = 40
) -> dict[str, float]:
    """Medians of several works that take turns, so that what disturbs the machine disturbs all of them."""
    for work in works.values():
        work()
    spent: dict[str, list[float]] = {name: [] for name in works}
    began = time.perf_counter()
    while not all(spent.values()) or (len(next(iter(spent.values()))) < most and time.perf_counter() - began < limit):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in spent.items()}


def use_threads(threads: int) -> None:
    """Threads of PyTorch, which those of the compiled kernels follow."""
    torch.set_num_threads(threads)
