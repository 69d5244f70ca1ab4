"""Results of record for speed, on the vehicles of ../shared/data at 160 views (`sets.vehicles views` renders them).

    python -m benchmarks.speed.of_record first     --work W --minutes 6  # beside the first landed version
    python -m benchmarks.speed.of_record converged --work W              # beside Tri-Planes that have converged
    python -m benchmarks.speed.of_record long      --work W              # what the default converges to

One thread count for all (`--threads`); each step writes its rows to benchmarks/results/speed_of_record.json. Nothing
else should run on the machine meanwhile.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.common import curve_of, designs, folder_of, time_to
from benchmarks.places import RESULTS
from manyfields import runs
from manyfields._io import read_json
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.runs import RunRecord, presets, settings_to_json

ROWS = RESULTS / "speed_of_record.json"
ROOT = Path(__file__).parents[2]
FIRST = "e3b8604"  # the first landed version of the main job
STAGE1, STAGE2, FEW = 8, 8, 3
TRIPLANES_STEPS, TRIPLANES_RATE = 5000, 3e-2
TOGETHER = 8
CONTENDERS: dict[str, tuple[str, dict, tuple[int, ...]]] = {
    "fused_planes.half": ("fused-planes", {}, (200, 400)),
    "fused_planes": ("fused-planes", {}, (400, 800)),
    "fused_planes.double": ("fused-planes", {}, (800, 1600)),
    "fused_planes_16_16": ("fused-planes", {"micro_features": 16, "macro_features": 16}, (300, 1200)),
    "micro_only": ("micro-only", {}, (1000,)),
}
OF_RECORD = "fused_planes_16_16"  # shares base planes, and holds as much as Tri-Planes
FIT_FIRST = """
import sys, torch
torch.set_num_threads(int(sys.argv[4]))
from manyfields import runs
from pathlib import Path
out = Path(sys.argv[2])
stage1, minutes = int(sys.argv[5]), float(sys.argv[3])
runs.fit(sys.argv[1], out, minutes=minutes, stage1_objects=stage1, resume=out.exists(), report=False)
print(runs.evaluate(out)["stages"]["stage2"]["psnr"])
"""


def stage2_curve(run: Path) -> list[tuple[float, float]]:
    """(seconds, PSNR) of held-out views during stage 2, whose clock starts with it.

    Read as plain JSON: settings of another version are not those of this one.
    """
    points = read_json(run / "run.json")["curves"]
    return [(p["seconds"], p["held_out_psnr"]) for p in points if p["stage"] != "stage 1" and p.get("held_out_psnr")]


def first(work: Path, minutes: float, threads: int) -> list[Record]:
    """Stage 2 beside that of the first landed version, run from its commit: the same objects, views and threads."""
    data = folder_of(work, "sixteen", designs(work)[: STAGE1 + STAGE2])
    source = work / f"manyfields-{FIRST}"
    if not source.exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(source), FIRST], cwd=ROOT, check=True)
    theirs, ours = work / "run-first", work / "run-sixteen"
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": str(threads)}
    arguments = [str(data), str(theirs), str(minutes), str(threads), str(STAGE1)]
    done = subprocess.run(
        [sys.executable, "-c", FIT_FIRST, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    stored = float(done.stdout.split()[-1])
    old = stage2_curve(theirs)
    runs.fit(data, ours, stage1_objects=STAGE1, resume=ours.exists(), report=False)
    curve = stage2_curve(ours)
    quality = max(value for _, value in old)
    spent = time_to(old, quality)
    reached = time_to(curve, quality)
    note = (
        f"stage 2 of {STAGE2} vehicles after stage 1 of {STAGE1}, {threads} threads; commit {FIRST} reaches "
        f"{quality:.2f} dB (floats; {stored:.2f} dB stored) in {spent:.1f} s, this version in {reached} s "
        f"and ends at {curve[-1][1]:.2f} dB"
    )
    assert spent is not None
    if reached is None:
        raise SystemExit(f"this version does not reach it: {note}")
    return [
        new_record("cpu.stage2.speedup_over_first", spent / reached, "x", note),
        new_record("cpu.stage2.first.seconds_per_object", spent / STAGE2, "s", note),
        new_record("cpu.stage2.seconds_per_object", reached / STAGE2, "s", note),
    ]


def converged(work: Path, minutes: float, threads: int) -> list[Record]:
    """Tri-Planes until they gain under 0.1 dB in the last fifth of their run, and ours at a twentieth of their time.

    Ours learn the three objects among 8, as they are meant to: their time is that of all of them, divided. All figures
    but the curve of Tri-Planes are from stored bytes, over the same three objects.
    """
    chosen = designs(work)
    alone, together = folder_of(work, "three", chosen[:FEW]), folder_of(work, "together", chosen[:TOGETHER])
    stored = settings_to_json(presets()["tri-planes"])
    phases = [
        {**phase, "steps": TRIPLANES_STEPS, "codes_rate": TRIPLANES_RATE, "fields_rate": TRIPLANES_RATE / 2}
        for phase in stored["stage1"]
    ]
    theirs = work / "run-three-triplanes"
    runs.fit(alone, theirs, preset="tri-planes", stage1=phases, resume=theirs.exists(), report=False)
    quality = runs.evaluate(theirs)["mean"]["psnr"]
    curve = curve_of(theirs)
    best, end = max(value for _, value in curve), curve[-1][0]
    gained = best - max(value for seconds, value in curve if seconds <= 0.8 * end)
    # When it was within 0.1 dB of its best: what comes after is not worth waiting for.
    spent = time_to(curve, best - 0.1)
    assert spent is not None
    note = (
        f"Tri-Planes on {FEW} vehicles, {TRIPLANES_STEPS} steps, rate {TRIPLANES_RATE:g}, {threads} threads: "
        f"{gained:.2f} dB in the last fifth, {end:.0f} s in all"
    )
    rows = [
        new_record("vehicles.triplanes.converged_psnr", quality, "dB", note),
        new_record("vehicles.triplanes.converged_seconds_per_object", spent / FEW, "s", note),
    ]
    for name, (preset, changes, steps) in CONTENDERS.items():
        run = work / f"run-together-{name}"
        phases = settings_to_json(presets()[preset])["stage1"]
        ours = [{**phase, "steps": count} for phase, count in zip(phases, steps, strict=True)]
        runs.fit(together, run, preset=preset, stage1=ours, resume=run.exists(), report=False, **changes)
        measured = runs.evaluate(run)["objects"]
        psnr = sum(measured[item]["psnr"] for item in chosen[:FEW]) / FEW
        seconds = RunRecord.load(run).seconds["stage1"] / TOGETHER
        text = (
            f"{note}; {preset} {changes or ''} on {TOGETHER} vehicles, {' + '.join(map(str, steps))} steps of stage 1 "
            f"from nothing, the same {FEW} objects"
        )
        rows.append(new_record(f"vehicles.converged.{name}.psnr", psnr, "dB", text))
        rows.append(new_record(f"vehicles.converged.{name}.seconds_per_object", seconds, "s", text))
        if psnr >= quality:
            which = "" if name == OF_RECORD else f"{name}."
            rows.append(new_record(f"vehicles.{which}speedup_to_triplanes_converged", spent / FEW / seconds, "x", text))
    return rows


def long(work: Path, minutes: float, threads: int) -> list[Record]:
    """What the default converges to, from stored bytes: stage 1 of the forty vehicles that `sets.vehicles fit` made."""
    run = work / "run-forty"
    whole, record = runs.evaluate(run)["stages"]["stage1"], RunRecord.load(run)
    curve = [value for _, value in curve_of(run)][:12]
    note = (
        f"{len(record.stage1)} vehicles, 144 + 16 views, stage 1, {record.seconds['stage1']:.0f} s of fitting, "
        f"{threads} threads; whole images; {max(curve) - max(curve[:9]):.2f} dB gained in the last quarter"
    )
    return [
        new_record("vehicles.fused_planes.converged_psnr", whole["psnr"], "dB", note),
        new_record("vehicles.fused_planes.converged_foreground_psnr", whole["foreground_psnr"], "dB", note),
    ]


STEPS = {"first": first, "converged": converged, "long": long}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=tuple(STEPS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for row in write_records(ROWS, STEPS[arguments.step](arguments.work, arguments.minutes, arguments.threads)):
        print(f"{row.name:52} {row.value:10.3f} {row.unit:5} {row.note}")


if __name__ == "__main__":
    main()
