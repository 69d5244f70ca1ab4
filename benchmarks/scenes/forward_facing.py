"""A forward-facing scene as tensor planes in normalised device coordinates, and through `compress`.

    python -m benchmarks.scenes.forward_facing --mesh ../shared/data/models/detail/BoomBox.glb --work W --minutes 4

Renders the mesh from 64 cameras of a plane (W/views), fits the preset `tensorf` with `scene: forward` (W/run; one
that is there is taken as it is), codes the run by the codec `pyramid` at three steps (W/step-S), and measures held-out
views from the stored bytes. Rows go to benchmarks/results/forward_facing.json.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks import rows as records
from benchmarks.common import mean_metric, total_bytes
from benchmarks.scenes.factor_fields import METRICS, coded_rows, slug
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, compress, fit
from manyfields.runs.comparisons.common import fit_seconds
from manyfields.runs.record import FILE
from manyfields.views.render_set import render_set

VIEWS, SIZE = 64, 160
STEPS = (0.002, 0.004, 0.008)


def fitted(mesh: Path, work: Path, minutes: float) -> Collection:
    views, folder = work / "views", work / "run"
    render_set(mesh, views, views=VIEWS, size=SIZE, viewpoints="plane", depth=False)
    if (folder / FILE).exists() and RunRecord.load(folder).finished:
        return open_collection(folder)
    (work / "config.json").write_text(json.dumps({"scene": "forward"}))
    if (folder / FILE).exists():
        return fit(views, folder, resume=True, report=False)
    return fit(
        views, folder, preset="tensorf", config=work / "config.json", minutes=minutes, fitting_alone=True, report=False
    )


def rows(mesh: Path, run: Collection, work: Path) -> Iterator[Record]:
    """Of the run, then of each step."""
    record = RunRecord.load(Path(run.path))
    seconds, of = fit_seconds(record), record.phases1[0].steps
    held_out = sum(len(each["views"]) for each in record.held_out.values())
    note = (
        f"{mesh.stem}, {VIEWS} views from a plane, {SIZE} x {SIZE}, {held_out} held out; {of} steps, "
        f"{seconds:.0f} s, {torch.get_num_threads()} threads"
    )
    name = "forward_facing"
    plain = [new_record(f"{name}.{metric}", mean_metric(run, metric), "dB", note) for metric in METRICS]
    plain.append(new_record(f"{name}.bytes", total_bytes(run), "bytes", f"{note}; float16, with the shared part"))
    yield from records.trained_by(Path(run.path), plain)
    for step in STEPS:
        made = compress(Path(run.path), work / f"step-{step:g}", codec="pyramid", price=step, report=False)
        yield from coded_rows(f"{name}.pyramid.step_{slug(step)}", run, made, f"{note}; step {step:g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "forward_facing")
    arguments = records.parse(parser)
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    run = fitted(arguments.mesh, arguments.work, arguments.minutes)
    records.keep(arguments, rows(arguments.mesh, run, arguments.work))


if __name__ == "__main__":
    main()
