"""Ways to learn a few new objects from nothing, in equal measured seconds: with sharing, without, and Tri-Planes.

    python -m benchmarks.sets.equal_seconds vehicles --size 128 --work W --seconds 8

Eight designs of *report*, on which nothing was tuned, `--seconds` for each on average. In these everything counts that
an object takes: reading its views, its hull, its pixels, and all its steps, those of the shared part too. A contender
whose measured time is off by more than 3 % is fitted again; where none comes so near, figures are read between the run
that took a little less and the one that took a little more. Rows say how long each took. Sharing is measured beside the
*control*: the preset `micro-only`, the same renderer, hulls and samples, with all features an object's own. Tri-Planes
are those of the papers (planes over the cube, softplus, random rays), at the better of two rates. Octrees and tensor
planes stand beside them if asked for. Rows go to benchmarks/results/equal_seconds.json.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import means, measure, sheet, sizes
from benchmarks.split import designs, links_to
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.commands._progress import PlainLines, to_stderr
from manyfields.evaluation.origin import Origin
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, presets, settings_to_json
from manyfields.runs.comparisons.common import fit_seconds

RATES = (3e-2, 6e-2)  # of Tri-Planes; 1e-2 was far behind both
OFF, TRIES = 0.03, 5


class Contender(NamedTuple):
    preset: str
    rate: float | None = None
    words: str = ""


CONTENDERS = {
    "fused_planes": Contender("fused-planes", words="the default: base planes shared"),
    "control": Contender("micro-only", words="the control: the same renderer, nothing shared but the decoder"),
    **{
        f"triplanes_{place}": Contender("tri-planes", rate, f"Tri-Planes, rate {rate:g}")
        for place, rate in enumerate(RATES)
    },
    "octree": Contender("octree", words="octrees"),
    "tensor_planes": Contender("tensorf", words="tensor planes"),
}
USUAL = ("fused_planes", "control", "triplanes_0", "triplanes_1")


class Point(NamedTuple):
    """What a contender is after so many seconds an object."""

    seconds: float
    found: dict[str, tuple[float, str]]
    trained: tuple[Origin, ...]


def around(data: Path, folder: Path, contender: Contender, seconds: float) -> list[Path]:
    """A run that took these seconds, or the nearest that took less and the nearest that took more; none where there is
    nothing left for steps.

    A machine with other work keeps no plan, so what is planned is corrected until one of them is there.
    """
    changes: dict[str, Any] = {}
    if contender.rate is not None:
        rates = {"codes_rate": contender.rate, "fields_rate": contender.rate / 2}
        phases = settings_to_json(presets()[contender.preset])["stage1"]
        changes["stage1"] = [{**phase, **rates} for phase in phases]
    took: dict[Path, float] = {}
    minutes = seconds / 60
    for attempt in range(TRIES):
        run = folder / f"try_{attempt}"
        if not (run / "run.json").exists():
            runs.fit(
                data, run, minutes=minutes, fitting_alone=True, preset=contender.preset, report=False,
                say=to_stderr, progress=PlainLines(f"{folder.name} {run.name}", sys.stderr), **changes,
            )  # fmt: skip
        record = RunRecord.load(run)
        took[run] = fit_seconds(record)
        if record.seconds["reading"] + record.seconds.get("stage1/before steps", 0.0) > seconds:
            return []  # growing octrees, say
        to_stderr(f"{run}: {took[run]:.1f} s of {seconds:g}")
        nearest = min(took, key=lambda each: abs(took[each] - seconds))
        if abs(took[nearest] - seconds) <= OFF * seconds:
            return [nearest]
        less = [each for each in took if 0.7 * seconds < took[each] < seconds]
        more = [each for each in took if seconds < took[each] < 1.4 * seconds]
        if less and more:
            return [max(less, key=lambda each: took[each]), min(more, key=lambda each: took[each])]
        minutes *= (1.1 if less else 0.9 if more else 1.0) * seconds / took[run]
    raise SystemExit(
        f"{folder}: no run took {seconds:g} s, nor some less and some more: try again on a quieter machine"
    )


def point(run: Path, ids: list[str]) -> Point:
    """Of one run."""
    scores, pictures = measure(run, ids, progress=PlainLines(f"eval {run.parent.name}", sys.stderr))
    sheet(pictures, scores).save(run.with_suffix(".png"))
    record = RunRecord.load(run)
    found = means(each[0] for each in scores.values()) | sizes(open_collection(run), ids)
    return Point(fit_seconds(record) / len(ids), found, record.trained)


def at(seconds: float, points: list[Point]) -> Point:
    """Between two runs, on a straight line over the logarithm of time."""
    if len(points) == 1:
        return points[0]
    less, more = points
    share = math.log(seconds / less.seconds) / math.log(more.seconds / less.seconds)
    found = {
        name: ((1 - share) * less.found[name][0] + share * more.found[name][0], unit)
        for name, (_, unit) in less.found.items()
    }
    return Point(seconds, found, (*less.trained, *more.trained))


def rows(work: Path, kind: str, size: int, seconds: float, names: list[str], objects: int) -> Iterator[Record]:
    ids = designs(kind, "report")[:objects]
    data = links_to(work / f"{kind}_{size}", work / f"{kind}_{size}_{objects}", ids)
    suffix = "" if size == 128 else f"_{size}"
    points: dict[str, Point] = {}
    for name in names:
        folder = work / f"equal_{kind}_{size}_{seconds:g}s" / name
        found = [point(run, ids) for run in around(data, folder, CONTENDERS[name], seconds * objects)]
        if not found:
            note = f"{CONTENDERS[name].words}; cannot begin in this time; {how(kind, size, objects, seconds)}"
            row = f"{kind}.same_seconds_{seconds:g}.{name}.foreground_psnr{suffix}"
            yield new_record(row, None, "dB", note, trained=RunRecord.load(folder / "try_0").trained)
            continue
        points[name] = at(seconds, found)
        took = " and ".join(f"{each.seconds:.2f}" for each in found)
        between = f"a run of {took} s an object" if len(found) == 1 else f"between runs of {took} s an object"
        note = f"{CONTENDERS[name].words}; {between}; {how(kind, size, objects, seconds)}"
        for figure, (value, unit) in points[name].found.items():
            row = f"{kind}.same_seconds_{seconds:g}.{name}.{figure}{suffix}"
            yield new_record(row, value, unit, note, trained=points[name].trained)
    rates = [name for name in points if name.startswith("triplanes")]
    best = max(rates, key=lambda name: points[name].found["foreground_psnr"][0], default=None)
    if best is not None:
        for figure, (value, unit) in points[best].found.items():
            note = f"{CONTENDERS[best].words}, the better of {len(rates)}; {how(kind, size, objects, seconds)}"
            row = f"{kind}.same_seconds_{seconds:g}.triplanes.{figure}{suffix}"
            yield new_record(row, value, unit, note, trained=points[best].trained)
    ours = points.get("fused_planes")
    for other, word in (("control", "control"), (best, "triplanes"), ("octree", "octree")):
        if ours is not None and other in points:
            note = f"foreground PSNR, fused planes less {CONTENDERS[other].words}; {how(kind, size, objects, seconds)}"
            gain = ours.found["foreground_psnr"][0] - points[other].found["foreground_psnr"][0]
            length = "" if seconds == USUAL_SECONDS else f"_{seconds:g}"
            row = f"{kind}.gain_over_{word}_same_seconds{length}{suffix}"
            yield new_record(row, gain, "dB", note, trained=(*ours.trained, *points[other].trained))


USUAL_SECONDS = 8.0


def how(kind: str, size: int, objects: int, seconds: float) -> str:
    return (
        f"{objects} {kind} of designs to report, {size}x{size}, from nothing, {seconds:g} s an object, "
        f"reading, hull and pixels included, {torch.get_num_threads()} threads"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("vehicles", "products"))
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    parser.add_argument("--work", type=Path, required=True, help="where `quality` has rendered views")
    parser.add_argument("--seconds", type=float, default=USUAL_SECONDS, help="of each object")
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--contenders", nargs="+", choices=tuple(CONTENDERS), default=list(USUAL))
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "equal_seconds")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep(given, rows(given.work, given.kind, given.size, given.seconds, given.contenders, given.objects))


if __name__ == "__main__":
    main()
