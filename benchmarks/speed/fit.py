"""Stage 2 of a few new objects against a shared part made before: seconds to a fixed quality, rays a second, memory.

Each fit runs in a process of its own, which says how much memory it took:

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

from benchmarks.common import curve_of, folder_of, peak_memory, time_to, triplanes
from benchmarks.speed.bench import Bench
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.evaluation.record import Record
from manyfields.fitting.phases import Phase
from manyfields.runs import RunRecord

OBJECTS = 4
QUALITY = 29.0  # dB
RATE = 0.06  # the best of Tri-Planes at short times (docs/results/quality.md)
FORMS = {
    "ours": ("ours", {}, "fused kernels"),
    "plain": ("ours", {"MANYFIELDS_COMPILED": "0"}, "plain PyTorch"),
    "triplanes": ("triplanes", {}, f"Tri-Planes in RGB, rate {RATE}"),
}


def measure(bench: Bench) -> list[Record]:
    shared = bench.shared_run()
    data = folder_of(bench.work, "speed-new", bench.new[:OBJECTS])
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
        rows += _rows(bench, name, run, memory, f"{OBJECTS} vehicles, {bench.minutes:g} minutes planned, {what}")
    found = {row.name.removeprefix(f"{bench.prefix}."): row.value for row in rows}
    for other in ("plain", "triplanes"):
        mine, theirs = (found[f"fit.{name}.seconds_per_object"] for name in ("ours", other))
        if isinstance(mine, float) and isinstance(theirs, float):
            note = f"to {QUALITY} dB, {OBJECTS} vehicles, {FORMS[other][2]} over fused kernels"
            rows.append(bench.row(f"fit.speedup_over_{other}", theirs / mine, "x", note))
    return rows


def _rows(bench: Bench, name: str, run: Path, memory: float, note: str) -> list[Record]:
    record, collection = RunRecord.load(run), open_collection(run)
    stages = [name for name in record.seconds if name.startswith("add.") and "/" not in name] or ["stage1"]
    curve = curve_of(run)
    if stages != ["stage1"]:
        points = [p for p in record.curves if p["stage"] == stages[0] and p.get("held_out_psnr") is not None]
        curve = [(point["seconds"], point["held_out_psnr"]) for point in points]
    reached = time_to(curve, QUALITY)
    ids = bench.new[:OBJECTS]
    psnr = sum(collection.entry(each).metrics["psnr"] for each in ids) / OBJECTS
    rays = seconds = 0.0
    for phase, spent in _phases(record, stages[0]):
        rays += phase.steps * phase.rays_of_a_step(OBJECTS) * min(phase.objects_per_step, OBJECTS)
        seconds += spent
    width, height = record.size
    per_object = None if reached is None else reached / OBJECTS
    return [
        bench.row(
            f"fit.{name}.seconds_per_object", per_object, "s", f"{note}; steps until the probe is at {QUALITY} dB"
        ),
        bench.row(f"fit.{name}.psnr", psnr, "dB", f"{note}; at the end, from stored bytes"),
        bench.row(f"fit.{name}.rays", rays / seconds, "rays/s", f"{note}; training rays"),
        bench.row(f"fit.{name}.images", rays / seconds / (width * height), "images/s", f"{note}; one ray a pixel"),
        bench.row(f"fit.{name}.peak_memory", memory, "MB", f"{note}; of the whole process"),
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
