"""Time to equal quality on vehicles, all that an object takes counted: reading its views, hull, pixels, and steps.

    python -m benchmarks.speed.of_record first     --work W  # new objects, beside the first landed version
    python -m benchmarks.speed.of_record converged --work W  # from nothing, beside Tri-Planes that run for long

Stage 1 learns from designs of *learn*, new objects are of *report* (benchmarks/split.py). *Converged* means under
0.1 dB over the last fifth of the run; whether that is so, a row says. One thread count for all; nothing else should run
on the machine meanwhile. Rows go to benchmarks/results/speed_of_record.json.
"""

import argparse
import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.common import curve_of, time_to
from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import means, measure, sizes
from benchmarks.speed.bench import before_steps, render_vehicles
from benchmarks.speed.first_version import Stopwatch
from benchmarks.split import designs, links_to
from manyfields import runs
from manyfields._io import read_json
from manyfields.collection import open_collection
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.origin import Origin, now
from manyfields.evaluation.record import Record, new_record
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.runs import RunRecord, presets, settings_to_json
from manyfields.runs.comparisons.common import fit_seconds

ROOT = Path(__file__).parents[2]
VIEWS = "vehicles_128"
FIRST = "e3b86043e56a"  # the first landed version
LEARNED, NEW, FEW = 8, 8, 3
TRIPLANES_RATE = 3e-2
GAIN = 0.1  # dB over the last fifth of a run that has converged
CONTENDERS: dict[str, tuple[str, dict, tuple[int, ...]]] = {
    "fused_planes_half": ("fused-planes", {}, (200, 400)),
    "fused_planes": ("fused-planes", {}, (400, 800)),
    "fused_planes_double": ("fused-planes", {}, (800, 1600)),
    "fused_planes_16_16": ("fused-planes", {"micro_features": 16, "macro_features": 16}, (300, 1200)),
    "micro_only": ("micro-only", {}, (1000,)),
}


def first(given: argparse.Namespace) -> Iterator[Record]:
    """Stage 2 beside that of the first landed version: the same objects, views and threads."""
    work, count = given.work.resolve(), min(given.objects, NEW)
    learn, new = designs("vehicles", "learn")[: min(given.objects, LEARNED)], designs("vehicles", "report")[:count]
    render_vehicles(work / VIEWS, [*learn, *new])
    folders = [links_to(work / VIEWS, work / f"first-{name}", ids) for name, ids in (("learn", learn), ("new", new))]
    theirs, ours = work / "run-first", work / "run-beside-first"
    for run in (theirs, ours):
        shutil.rmtree(run, ignore_errors=True)
    words = ["-m", "benchmarks.speed.first_version", *map(str, folders), str(theirs), f"{given.minutes:g}"]
    words += [str(given.threads)]
    began = now()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(files_of_first(work) / "src"), "OMP_NUM_THREADS": str(given.threads)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    origin = Origin(shlex.join(["python", *words]), FIRST, describe_machine().line, began)
    prepared = float(done.stdout.split()[-1])
    old = curve_of_added(theirs)
    runs.fit(folders[0], ours, report=False)
    earlier, watch = RunRecord.load(ours), Stopwatch()
    watch.around(PlaneFitter, "begin")
    runs.add(ours, folders[1], report=False)
    record, curve = RunRecord.load(ours), curve_of_added(ours)
    quality = max(value for _, value in old)
    steps, reached = time_to(old, quality), time_to(curve, quality)
    assert steps is not None
    before = before_steps(record, earlier) + watch.seconds
    took = "?" if reached is None else f"{reached:.1f}"
    note = (
        f"{count} vehicles added to {len(learn)} others, {threads_of(given)}; reading, hull, pixels and steps: commit "
        f"{FIRST} is at {quality:.2f} dB (whole images, its probe while fitting) after {prepared:.1f} + {steps:.1f} s, "
        f"this version after {before:.1f} + {took} s, and ends at {curve[-1][1]:.2f} dB"
    )
    values = {
        "first.seconds_per_object": ((prepared + steps) / count, "s"),
        "first.preparing": (prepared / count, "s"),
        "seconds_per_object": (None if reached is None else (before + reached) / count, "s"),
        "preparing": (before / count, "s"),
        "speedup_over_first": (None if reached is None else (prepared + steps) / (before + reached), "x"),
    }
    for name, (value, unit) in values.items():
        yield new_record(f"cpu.stage2.{name}", value, unit, note, trained=[origin, *record.trained])


def files_of_first(work: Path) -> Path:
    """The files of the first version, as they were committed."""
    folder = work / f"manyfields-{FIRST}"
    if not folder.exists():
        packed = subprocess.run(["git", "archive", FIRST, "src"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    return folder


def curve_of_added(run: Path) -> list[tuple[float, float]]:
    """(seconds, PSNR) of held-out views of objects that were added, whose clock starts with their first step.

    Read as plain JSON: settings of another version are not those of this one.
    """
    points = read_json(run / "run.json")["curves"]
    return [(p["seconds"], p["held_out_psnr"]) for p in points if p["stage"] != "stage 1" and p.get("held_out_psnr")]


def converged(given: argparse.Namespace) -> Iterator[Record]:
    """Tri-Planes alone on three objects, for long, and ours on eight, those three among them, as they are meant to be.

    The time of Tri-Planes is that at which they were within 0.1 dB of their best, ours that of the whole run, divided.
    Figures are from stored bytes, over the same three objects.
    """
    work, count = given.work.resolve(), given.objects
    chosen = designs("vehicles", "learn")[:count]
    few = chosen[:FEW]
    render_vehicles(work / VIEWS, chosen)
    alone = links_to(work / VIEWS, work / "long-three", few)
    together = links_to(work / VIEWS, work / "long-together", chosen)
    theirs = work / f"run-long-triplanes-{given.steps}"
    rates = {"codes_rate": TRIPLANES_RATE, "fields_rate": TRIPLANES_RATE / 2, "steps": given.steps}
    phases = [{**phase, **rates} for phase in settings_to_json(presets()["tri-planes"])["stage1"]]
    runs.fit(alone, theirs, preset="tri-planes", stage1=phases, resume=theirs.exists(), report=False)
    record, curve = RunRecord.load(theirs), curve_of(theirs)
    best, gained = best_and_last_fifth(curve)
    steps = time_to(curve, best - GAIN)
    assert steps is not None
    spent = (before_steps(record) + steps) / len(few)
    note = (
        f"Tri-Planes, {given.steps} steps on {len(few)} vehicles, rate {TRIPLANES_RATE:g}, {threads_of(given)}: "
        f"{'converged' if gained < GAIN else 'NOT converged'}, {gained:.2f} dB (whole images, the probe) in the last "
        f"fifth, {fit_seconds(record) / len(few):.1f} s an object in all"
    )
    long = figures_of(theirs, few)
    long |= {"gained_last_fifth_db": (gained, "dB"), "seconds_per_object": (spent, "s")}
    for name, (value, unit) in long.items():
        yield new_record(f"vehicles.long.triplanes.{name}", value, unit, note, trained=record.trained)
    for contender, (preset, changes, lengths) in CONTENDERS.items():
        run = work / f"run-long-{contender}-{count}-{given.share:g}"
        stage1 = settings_to_json(presets()[preset])["stage1"]
        shorter = [max(1, round(given.share * length)) for length in lengths]
        stage1 = [{**phase, "steps": length} for phase, length in zip(stage1, shorter, strict=True)]
        runs.fit(together, run, preset=preset, stage1=stage1, resume=run.exists(), report=False, **changes)
        ours, figures = RunRecord.load(run), figures_of(run, few)
        seconds = fit_seconds(ours) / count
        as_good = all((figures[name][0] or 0.0) >= (long[name][0] or 0.0) for name in ("psnr", "foreground_psnr"))
        text = (
            f"{f'{preset} {changes}' if changes else preset} from nothing on {count} vehicles, "
            f"{' + '.join(map(str, shorter))} steps, {threads_of(given)}; "
            f"figures of the same {len(few)} as those of {note}"
        )
        figures |= {
            "seconds_per_object": (seconds, "s"),
            "speedup_to_triplanes": (spent / seconds if as_good else None, "x"),
        }
        for name, (value, unit) in figures.items():
            both = record.trained if name == "speedup_to_triplanes" else ()
            row = f"vehicles.long.{contender}.{name}"
            yield new_record(row, value, unit, text, trained=[*ours.trained, *both])


def figures_of(run: Path, ids: list[str]) -> dict[str, tuple[float | None, str]]:
    scores, _ = measure(run, ids)
    return {**means(each[0] for each in scores.values()), **sizes(open_collection(run), ids)}


def best_and_last_fifth(curve: list[tuple[float, float]]) -> tuple[float, float]:
    """The best of a curve of (seconds, PSNR), and how much of it the last fifth of the time brought."""
    best, end = max(value for _, value in curve), curve[-1][0]
    return best, best - max(value for seconds, value in curve if seconds <= 0.8 * end)


def threads_of(given: argparse.Namespace) -> str:
    return f"{given.threads} thread{'s' if given.threads > 1 else ''}"


STEPS = {"first": first, "converged": converged}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=tuple(STEPS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2.0, help="first: of its stage 1, and of its add")
    parser.add_argument("--steps", type=int, default=5000, help="converged: of Tri-Planes")
    parser.add_argument("--share", type=float, default=1.0, help="converged: of our steps, to try something out")
    parser.add_argument("--objects", type=int, default=LEARNED, help="that ours learn together; first: and new ones")
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "speed_of_record")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep(given, STEPS[given.step](given))


if __name__ == "__main__":
    main()
