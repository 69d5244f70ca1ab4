"""How good a set is: designs that the shared part was learned from, and designs that it has never seen.

    python -m benchmarks.sets.quality vehicles --size 128 --work W    # views, fit of the designs to learn from, add
    python -m benchmarks.sets.quality products --size 256 --work W

Designs are split in `benchmarks/split.json`: stage 1 learns from those of *learn*, and those of *report* are added
afterwards, as a user adds objects, all with the steps of the preset, so that no other load on the machine tells.
Figures without another word are of the latter, of held-out views from stored bytes; `learned` are of the former. A
sheet of truth beside rendering lies beside the run. Rows go to benchmarks/results/quality.json; times are in those of
`equal_seconds` and of benchmarks/speed.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.places import MODELS
from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import means, measure, sheet, sizes
from benchmarks.split import Part, designs, folder_of
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.commands._progress import PlainLines, to_stderr
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord
from manyfields.views.mesh_sources import find_meshes
from manyfields.views.render_set import render_set

FORMS = {128: {"views": 160, "viewpoints": "hemisphere"}, 256: {"views": 107, "viewpoints": "sphere"}}
"""How objects of a size are seen: the vehicles of the papers from above, and pictures to look at from all around."""
LEVELS = {"layer0": 1, "layer1": 2}
"""Coarser levels: weights alone; weights and hull."""


def views(work: Path, kind: str, size: int, parts: tuple[Part, ...], threads: int) -> None:
    """Render what is not there yet into W/KIND_SIZE."""
    chosen = {name for part in parts for name in designs(kind, part)}
    sources = [source for source in find_meshes(MODELS / kind) if source.id in chosen]
    told = PlainLines("views", sys.stderr)
    render_set(
        MODELS / kind, work / f"{kind}_{size}", size=size, depth=False, sources=sources, workers=threads,
        progress=lambda done, total, name: told("rendering", done, total), **FORMS[size],
    )  # fmt: skip


def fitted(work: Path, kind: str, size: int) -> Path:
    """The run of a set, gone on with if it is there: *learn* in stage 1, then *report*, added."""
    run = work / f"run_{kind}_{size}"
    for part in ("learn", "report"):
        data = folder_of(work, f"{kind}_{size}", part)
        told = PlainLines(f"{part}", sys.stderr)
        if part == "report":
            runs.add(run, data, report=False, say=to_stderr, progress=told)
        elif not (run / "run.json").exists() or not RunRecord.load(run).finished:
            count = len(designs(kind, "learn"))
            runs.fit(
                data, run, stage1_objects=count, resume=run.exists(), report=False, say=to_stderr, progress=told
            )  # fmt: skip
    return run


def rows(work: Path, kind: str, size: int) -> list[Record]:
    run = fitted(work, kind, size)
    record, collection = RunRecord.load(run), open_collection(run)
    parts = {part: designs(kind, part) for part in ("report", "learn")}
    note = (
        f"{size}x{size}, {len(parts['learn'])} designs in stage 1, {len(parts['report'])} others added, "
        f"{FORMS[size]['views']} views of each, of which a tenth is held out, steps of the preset"
    )
    suffix = "" if size == 128 else f"_{size}"
    found: dict[str, tuple[float, str]] = {}
    for part, prefix in (("report", ""), ("learn", "learned.")):
        levels = (None, *LEVELS.values()) if part == "report" or size == 128 else (None,)
        scores, pictures = measure(run, parts[part], levels, PlainLines(f"eval {part}", sys.stderr))
        sheet(pictures, scores).save(work / f"{run.name}_{part}.png")
        for name, own in scores.items():
            to_stderr(f"{part} {name}: {own[0]}")
        for place, level in enumerate(("", *(f"{layer}." for layer in LEVELS))[: len(levels)]):
            figures = means(each[place] for each in scores.values())
            found |= {f"{prefix}{level}{name}": value for name, value in figures.items()}
    found |= sizes(collection, parts["report"])
    found["layer0.object_bytes"] = (collection.sizes()["per_object"]["layer0"], "bytes")
    return [
        new_record(f"{kind}.fused_planes.{name}{suffix}", value, unit, note, trained=record.trained)
        for name, (value, unit) in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("vehicles", "products"))
    parser.add_argument("--size", type=int, choices=tuple(FORMS), default=128)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "quality")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    parts: tuple[Part, ...] = ("learn", "tune", "report") if given.size == 128 else ("learn", "report")
    views(given.work, given.kind, given.size, parts, given.threads)
    keep(given, rows(given.work, given.kind, given.size))


if __name__ == "__main__":
    main()
