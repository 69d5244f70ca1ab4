"""Mixtures of implicit functions: scenes, images and voxels, seen and unseen, from stored bytes.

    python -m benchmarks.mixture.instances scenes --data vehicles160 --work W --minutes 90 --split vehicles
    python -m benchmarks.mixture.instances images --data ../shared/data/renders/vehicles --work W --split vehicles
    python -m benchmarks.mixture.instances voxels --data ../shared/data/models --work W --minutes 60

Each fits into W/<what> (a run that is there is gone on with, or taken as it is). Scenes: held-out views of all objects.
Images and voxels: instances of groups that the shared part has never seen are adapted to it, and measured at all cells.
With --split the designs to learn from are those of `benchmarks/split.json`, and those to report are added in a quarter
of the minutes. `--minutes 8` makes a small run of record in about a quarter of an hour.

Rows go to benchmarks/results/mixture.json. `--name` and `--changes` are for runs of other settings beside it: the
command of each row says which (`mixture.scenes_random`: scenes whose latent vectors start at random, as the paper's).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import rows as records
from benchmarks.split import SETS, designs, links_to
from manyfields.collection import Collection, open_collection
from manyfields.commands._progress import progress
from manyfields.evaluation.costs import with_share
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, add, evaluate, fit
from manyfields.runs.comparisons.common import fit_seconds
from manyfields.runs.record import FILE

FAMILIES = {"scenes": "mixture", "images": "mixture-images", "voxels": "mixture-voxels"}
FIGURES = {
    "scenes": {"psnr": "dB", "foreground_psnr": "dB", "lpips": "distance"},
    "images": {"psnr": "dB"},
    "voxels": {"iou": "", "psnr": "dB"},
}
MANY = 10_000
MOST = 1_000_000  # objects of stage 1: all
LOOKED_FOR = (20, 22, 24, 25)  # dB
BESIDE = "other work on the machine"


def fitted(what: str, data: Path, folder: Path, minutes: float, changes: dict[str, Any]) -> Collection:
    if (folder / FILE).exists() and RunRecord.load(folder).finished:
        return open_collection(folder)
    resume = (folder / FILE).exists()
    with progress(what) as report:
        return fit(
            data,
            folder,
            family=None if resume else FAMILIES[what],
            minutes=None if resume else minutes,
            resume=resume,
            report=False,
            progress=report,
            **({} if resume else changes),
        )


def fitted_apart(what: str, data: Path, folder: Path, minutes: float, changes: dict[str, Any], kind: str) -> Collection:
    """Likewise, of the designs of a set to learn from; then those to report are added."""
    own = {**changes, "stage1_objects": MOST}
    learned = links_to(data, folder.with_name(f"{folder.name}-learn"), designs(kind, "learn"))
    fitted(what, learned, folder, minutes, own)
    reported = links_to(data, folder.with_name(f"{folder.name}-report"), designs(kind, "report"))
    with progress(what) as report:
        return add(folder, reported, minutes=minutes / 4, report=False, progress=report)


def times_to(record: RunRecord, name: str, note: str) -> Iterator[Record]:
    """Steps after which the held-out views that a fit looks at, of up to eight objects, are as good as this."""
    points = [point for point in record.curves if "held_out_psnr" in point and point["stage"] == "stage 1"]
    for quality in LOOKED_FOR:
        reached = next((point["step"] for point in points if point["held_out_psnr"] >= quality), None)
        if reached is not None:
            yield new_record(f"mixture.{name}.steps_to_{quality}_db", reached, "steps", note)


def rows(what: str, run: Collection, note: str, name: str) -> Iterator[Record]:
    """Of a finished run. `name`: what its rows are called."""
    record = RunRecord.load(Path(run.path))
    settings, config = record.settings, record.settings.config()
    sizes = f"L {config.hidden_layers}, W {config.width}, M {config.bases}, H {config.code_size}, w0 {config.w0:g}"
    way = f"start {settings.start}" if settings.source == "scenes" else settings.adaptation
    seconds = fit_seconds(record)
    how = f"{note}; {record.settings.preset}, {way}, {sizes}; {record.phases1[0].steps} steps, {seconds:.0f} s"
    figures = evaluate(Path(run.path))
    for stage, values in figures["stages"].items():
        seen = {"stage1": "_train" if what != "scenes" else "", "stage2": "_unseen"}[stage]
        count = f"{how}; {values['objects']} {'objects' if what == 'scenes' else what}"
        known = {figure: unit for figure, unit in FIGURES[what].items() if values.get(figure) is not None}
        for figure, unit in known.items():
            yield new_record(f"mixture.{name}.{figure}{seen}", values[figure], unit, count)
    own = sum(run.entry(each).bytes for each in run) / len(run)
    shared = run.sizes()["shared"]
    yield new_record(f"mixture.{name}.object_bytes", own, "bytes", f"{how}; float16, without the shared part")
    yield new_record(f"mixture.{name}.shared_bytes", shared, "bytes", f"{how}; float16, for {len(run)}")
    for count in (len(run), MANY):
        whole, label = with_share(own, shared, count), "" if count != MANY else f"_of_{MANY}"
        sizes = f"{how}; float16, with the shared part, N = {count:,}"
        yield new_record(f"mixture.{name}.bytes_with_shared{label}", whole, "bytes", sizes)
    yield from times_to(record, name, how)
    yield new_record(f"mixture.{name}.network", config.network, "numbers", "that evaluate one instance")
    yield new_record(f"mixture.{name}.learnable", config.learnable, "numbers", "of the shared part")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(FAMILIES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--name", help="of the run in W and of its rows; what it holds if not given")
    parser.add_argument("--stage1-objects", type=int, default=None, help="how many make the shared part; fit's default")
    parser.add_argument("--changes", type=json.loads, default={}, help="other settings of the fit, as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help=f"say in the notes that it ran beside {BESIDE}")
    parser.add_argument("--split", choices=SETS, help="of scenes and images: the set whose split is heeded")
    records.add_flags(parser, "mixture")
    arguments = records.parse(parser)
    if arguments.split and arguments.what == "voxels":
        parser.error("--split is of scenes and images, whose objects have folders of their own")
    torch.set_num_threads(arguments.threads)
    changes = {**arguments.changes, "stage1_objects": arguments.stage1_objects}
    name = arguments.name or arguments.what
    given = (arguments.what, arguments.data, arguments.work / name, arguments.minutes, changes)
    run = fitted_apart(*given, arguments.split) if arguments.split else fitted(*given)
    note = f"{arguments.data.name}, {arguments.threads} threads" + (f", beside {BESIDE}" if arguments.beside else "")
    records.keep(arguments, records.trained_by(Path(run.path), rows(arguments.what, run, note, name)))


if __name__ == "__main__":
    main()
