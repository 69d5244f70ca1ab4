"""What the demo's users see: how long it takes, how good it gets, and whether a phase ever takes quality away.

    python -m benchmarks.speed.demo --work W                # the demo as `manyfields demo` runs it, into W/demo
    python -m benchmarks.speed.demo --work W --minutes 1.5  # a shorter one, into a folder and rows of its own

Rows go to benchmarks/results/demo.json. A fall of a phase is one of the curves' probe: whole images, one held-out view
of up to four objects, one ray a pixel. Seconds are those of this machine, which nothing else should use meanwhile.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import means, measure
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.commands._progress import PlainLines
from manyfields.evaluation.record import Record, new_record
from manyfields.fitting.progress import Progress
from manyfields.runs import RunRecord
from manyfields.runs.demo import MINUTES


def ends_of_phases(curves: list[dict]) -> dict[str, dict[str, float]]:
    """By stage and phase: held-out PSNR at the last point of its curve that has one."""
    ends: dict[str, dict[str, float]] = {}
    for point in curves:
        if point.get("held_out_psnr") is not None:
            ends.setdefault(point["stage"], {})[point["phase"]] = point["held_out_psnr"]
    return ends


def largest_fall(curves: list[dict]) -> float:
    """From the end of a phase to that of the next one of its stage; 0 where PSNR never falls."""
    falls = [0.0]
    for ends in ends_of_phases(curves).values():
        values = list(ends.values())
        falls += [before - after for before, after in zip(values, values[1:], strict=False)]
    return max(falls)


def largest_fall_within(curves: list[dict]) -> float:
    """From the best that a stage has had to any later point of it."""
    best: dict[str, float] = {}
    fall = 0.0
    for point in curves:
        if (value := point.get("held_out_psnr")) is not None:
            best[point["stage"]] = max(best.get(point["stage"], value), value)
            fall = max(fall, best[point["stage"]] - value)
    return fall


class Timed:
    """Progress that remembers when it was first told of each part."""

    def __init__(self, inner: Progress) -> None:
        self.inner, self.began = inner, {}

    def __call__(self, phase: str, done: int, total: int, **figures: float | int | str) -> None:
        self.began.setdefault(phase, time.monotonic())
        self.inner(phase, done, total, **figures)


def rows_of(run: Path, minutes: float, wall: float, fitting: float) -> list[Record]:
    """`wall`: seconds of the whole demo; `fitting`: of its fit with all that belongs to it."""
    record = RunRecord.load(run)
    scores, _ = measure(run, open_collection(run).ids)
    length = "" if minutes == MINUTES else f".minutes_{minutes:g}"
    objects = f"{len(record.stage1)} + {len(record.stage2)} objects"
    note = f"{objects} of the inventory, {minutes:g} minutes asked for, {torch.get_num_threads()} threads"
    values: list[tuple[str, float, str]] = [
        ("seconds", wall, "s"),
        ("fit_seconds", fitting, "s"),
        ("fit_time_over_asked", fitting / (60 * minutes), "x"),
        ("largest_fall_db", largest_fall(record.curves), "dB"),
        ("largest_fall_within_a_stage_db", largest_fall_within(record.curves), "dB"),
    ]
    values += [(name, value, unit) for name, (value, unit) in means(each[0] for each in scores.values()).items()]
    for stage, ends in ends_of_phases(record.curves).items():
        for phase in ends:
            steps = [point["step"] for point in record.curves if (point["stage"], point["phase"]) == (stage, phase)]
            values.append((f"{stage.replace(' ', '').replace('.', '_')}.{phase}.steps", float(steps[-1]), ""))
    return [
        new_record(f"demo.{name}{length}", value, unit, note, trained=record.trained) for name, value, unit in values
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes")
    add_flags(parser, "demo")
    arguments = parse(parser)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    out = arguments.work / ("demo" if arguments.minutes == MINUTES else f"demo-{arguments.minutes:g}")
    if (out / "run").exists():
        parser.error(f"{out / 'run'} is there already: its time cannot be measured any more; remove it")
    timed = Timed(PlainLines("demo", sys.stderr))
    began = time.monotonic()
    runs.demo(out, minutes=arguments.minutes, progress=timed)
    ended = time.monotonic()
    fitting = ended - timed.began["checking views"]
    keep(arguments, rows_of(out / "run", arguments.minutes, ended - began, fitting))


if __name__ == "__main__":
    main()
