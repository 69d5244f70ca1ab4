"""Stage 2 of a few new objects against a shared part made before: seconds to a fixed quality, rays a second, memory.

Seconds are all that an object takes until then: reading its views, hull, pixels, and steps. Tri-Planes fit the same
objects from nothing. Each fit runs in a process of its own, which says how much memory it took:

    python -m benchmarks.speed.fit ours|triplanes RUN DATA MINUTES THREADS
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.common import curve_of, peak_memory, time_to, triplanes
from benchmarks.sets.measured import means
from benchmarks.sets.measured import measure as measured
from benchmarks.speed.bench import Bench, before_steps
from manyfields import runs
from manyfields.evaluation.record import Record
from manyfields.fitting.phases import Phase
from manyfields.runs import RunRecord

OBJECTS = 4
QUALITY = 29.0  # dB, over whole images, of the probe: one held-out view of each object, one ray a pixel
RATE = 0.06  # of Tri-Planes; the better of two at short times
FORMS = {
    "ours": ("ours", {}, "fused kernels"),
    "plain": ("ours", {"MANYFIELDS_COMPILED": "0"}, "plain PyTorch"),
    "triplanes": ("triplanes", {}, f"Tri-Planes in RGB, rate {RATE}"),
}


def measure(bench: Bench) -> list[Record]:
    shared = bench.shared_run()
    data = bench.folder("speed-new", bench.new[:OBJECTS])
    rows: list[Record] = []
    for name, (kind, environment, what) in FORMS.items():
        run = bench.work / f"speed-fit-{name}"
        shutil.rmtree(run, ignore_errors=True)
        if kind == "ours":
            shutil.copytree(shared, run, ignore=shutil.ignore_patterns("checkpoints"))
        words = [sys.executable, "-m", __spec__.name, kind, run, data, bench.minutes, bench.threads]
        done = subprocess.run(
            [str(word) for word in words], env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True
        )
        memory = json.loads(done.stdout.splitlines()[-1])["peak_memory"]
        earlier = RunRecord.load(shared) if kind == "ours" else None
        note = f"{OBJECTS} vehicles, {bench.minutes:g} minutes planned, {what}"
        rows += _rows(bench, name, run, earlier, memory, note)
    found = {row.name.removeprefix(f"{bench.prefix}."): row for row in rows}
    for other in ("plain", "triplanes"):
        mine, theirs = (found[f"fit.{name}.seconds_per_object"] for name in ("ours", other))
        if isinstance(mine.value, float) and isinstance(theirs.value, float):
            note = f"to {QUALITY} dB, {OBJECTS} vehicles, {FORMS[other][2]} over fused kernels"
            ratio, both = theirs.value / mine.value, (*mine.trained, *theirs.trained)
            rows.append(bench.row(f"fit.speedup_over_{other}", ratio, "x", note, both))
    return rows


def _rows(bench: Bench, name: str, run: Path, earlier: RunRecord | None, memory: float, note: str) -> list[Record]:
    """`earlier`: the record of the run that these objects were added to."""
    record = RunRecord.load(run)
    stages = [name for name in record.seconds if name.startswith("add.") and "/" not in name] or ["stage1"]
    curve = curve_of(run)
    if stages != ["stage1"]:
        points = [p for p in record.curves if p["stage"] == stages[0] and p.get("held_out_psnr") is not None]
        curve = [(point["seconds"], point["held_out_psnr"]) for point in points]
    reached = time_to(curve, QUALITY)
    preparing = before_steps(record, earlier) / OBJECTS
    per_object = None if reached is None else preparing + reached / OBJECTS
    rays = seconds = 0.0
    for phase, spent in _phases(record, stages[0]):
        rays += phase.steps * phase.rays_of_a_step(OBJECTS) * min(phase.objects_per_step, OBJECTS)
        seconds += spent
    width, height = record.size
    scores, _ = measured(run, bench.new[:OBJECTS])
    until = f"reading, hull, pixels, and steps until the probe is at {QUALITY} dB"
    end = f"at the end, after {preparing + seconds / OBJECTS:.2f} s an object, from stored bytes"
    values: list[tuple[str, float | None, str, str]] = [
        ("seconds_per_object", per_object, "s", until),
        ("preparing", preparing, "s", "reading, hull, pixels, an object"),
        ("rays", rays / seconds, "rays/s", "training rays"),
        ("images", rays / seconds / (width * height), "images/s", "one ray a pixel"),
        ("peak_memory", memory, "MB", "of the whole process"),
    ]
    found = means(each[0] for each in scores.values())
    values += [(figure, value, unit, end) for figure, (value, unit) in found.items()]
    return [
        bench.row(f"fit.{name}.{figure}", value, unit, f"{note}; {words}", record.trained)
        for figure, value, unit, words in values
    ]


def _phases(record: RunRecord, stage: str) -> Iterator[tuple[Phase, float]]:
    """Phases with their steps as they were run, and the seconds they took."""
    ran = {point["phase"]: point["step"] for point in record.curves if point["stage"] == _curve_name(stage)}
    for phase in record.settings.stage1 if stage == "stage1" else record.settings.stage2:
        yield replace(phase, steps=ran[phase.name]), record.seconds[f"{stage}/{phase.name}"]


def _curve_name(stage: str) -> str:
    return "stage 1" if stage == "stage1" else stage


def one(kind: str, run: Path, data: Path, minutes: float) -> None:
    """One fit in this process."""
    if kind == "triplanes":
        triplanes(data, run, minutes, RATE)
    else:
        runs.add(run, data, minutes=minutes, report=False)
    print(json.dumps({"peak_memory": peak_memory()}))


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[5]))
    one(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
