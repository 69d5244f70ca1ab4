"""Ways to learn a few new objects from nothing, in equal measured seconds: with sharing, without, and Tri-Planes.

    python -m benchmarks.sets.equal_seconds vehicles --size 128 --work W --seconds 8

Eight designs of *report*, on which nothing was tuned, `--seconds` for each on average. In these everything counts that
an object takes: reading its views, its hull, its pixels, and all its steps, those of the shared part too. A contender
whose measured time is off by more than 3 % is fitted again for a corrected time; rows say how long each took. Sharing
is measured beside the *control*: the preset `micro-only`, the same renderer, hulls and samples, with all features an
object's own. Tri-Planes are those of the papers (planes over the cube, softplus, random rays), at the better of two
rates. Octrees and tensor planes stand beside them if asked for. Rows go to benchmarks/results/equal_seconds.json.
"""

import argparse
import shutil
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
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, presets, settings_to_json
from manyfields.runs.comparisons.common import fit_seconds

RATES = (3e-2, 6e-2)  # of Tri-Planes; 1e-2 was far behind both
OFF, TRIES = 0.03, 4


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


def fitted(data: Path, run: Path, contender: Contender, seconds: float) -> Path:
    """A run that took so many seconds, fitted again until it did; one that is there is only read."""
    preset = settings_to_json(presets()[contender.preset])
    changes: dict[str, Any] = {}
    if contender.rate is not None:
        rates = {"codes_rate": contender.rate, "fields_rate": contender.rate / 2}
        changes["stage1"] = [{**phase, **rates} for phase in preset["stage1"]]
    minutes = seconds / 60
    for attempt in range(TRIES):
        if not (run / "run.json").exists():
            runs.fit(
                data, run, minutes=minutes, fitting_alone=True, preset=contender.preset, report=False,
                say=to_stderr, progress=PlainLines(run.name, sys.stderr), **changes,
            )  # fmt: skip
        took = fit_seconds(RunRecord.load(run))
        to_stderr(f"{run.name}: {took:.1f} s of {seconds:g}")
        if abs(took - seconds) <= OFF * seconds or attempt == TRIES - 1:
            break
        shutil.rmtree(run)
        minutes *= seconds / took
    return run


def rows(work: Path, kind: str, size: int, seconds: float, names: list[str], objects: int) -> Iterator[Record]:
    ids = designs(kind, "report")[:objects]
    data = links_to(work / f"{kind}_{size}", work / f"{kind}_{size}_{objects}", ids)
    suffix = "" if size == 128 else f"_{size}"
    foreground: dict[str, float] = {}
    took: dict[str, float] = {}
    trained: dict[str, Any] = {}
    for name in names:
        contender = CONTENDERS[name]
        run = fitted(data, work / f"run_{kind}_{size}_{seconds:g}s_{name}", contender, seconds * objects)
        record, collection = RunRecord.load(run), open_collection(run)
        scores, pictures = measure(run, ids, progress=PlainLines(f"eval {name}", sys.stderr))
        sheet(pictures, scores).save(work / f"{run.name}.png")
        found = means(each[0] for each in scores.values()) | sizes(collection, ids)
        took[name], trained[name] = fit_seconds(record) / objects, record.trained
        found["seconds_per_object"] = (took[name], "s")
        foreground[name] = found["foreground_psnr"][0]
        note = f"{contender.words}; {how(kind, size, objects, seconds)}"
        for figure, (value, unit) in found.items():
            row = f"{kind}.same_seconds_{seconds:g}.{name}.{figure}{suffix}"
            yield new_record(row, value, unit, note, trained=record.trained)
    rates = [name for name in names if name.startswith("triplanes")]
    best = max(rates, key=lambda name: foreground[name], default=None)
    for other, word in (("control", "control"), (best, "triplanes")):
        if other in foreground and "fused_planes" in foreground:
            apart = abs(took["fused_planes"] / took[other] - 1)
            note = (
                f"foreground PSNR of fused planes less that of {CONTENDERS[other].words}; "
                f"{took['fused_planes']:.2f} and {took[other]:.2f} s an object; {how(kind, size, objects, seconds)}"
            )
            gain = foreground["fused_planes"] - foreground[other] if apart <= 2 * OFF else None
            both = [*trained["fused_planes"], *trained[other]]
            row = f"{kind}.gain_over_{word}_same_seconds{'' if seconds == USUAL_SECONDS else f'_{seconds:g}'}{suffix}"
            yield new_record(row, gain, "dB", note, trained=both)


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
