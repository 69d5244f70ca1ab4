"""`evaluate`: quality of a run on its held-out views, from the stored bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from manyfields._checks import COUNT
from manyfields.collection import Collection, open_collection
from manyfields.collection.objects import StoredObject
from manyfields.errors import RunError, ViewError
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.measuring import HeldOut, render_codes
from manyfields.runs.moved_views import check_at_hand, found_again
from manyfields.runs.record import RunRecord
from manyfields.runs.signals import evaluate_signals
from manyfields.views import ObjectViews, read_views


def evaluate(
    run: Path | str, *, level: int | None = None, data: Sequence[Path | str] = (), progress: Progress = silent
) -> dict[str, Any]:
    """PSNR, SSIM, LPIPS (squeeze) and foreground PSNR on held-out views, per object and as the mean over objects.

    Every figure comes from the bytes in the collection, of the first `level` layers (all when None). Returns {"mean":
    {...}, "objects": {id: {...}}, "stages": {...}, "notes": [...]}; a metric is None where it could not be measured,
    with the reason in the notes. Of images and voxels: PSNR and IoU of every instance. `data`: where the folders of
    views are now, if they have moved since the fit. Raises RunError where the run has no held-out views, ViewError
    where they are gone.

    >>> figures = evaluate("runs/vehicles")
    >>> sorted(figures["objects"]), figures["mean"]["psnr"] > 3
    (['car', 'truck', 'van'], True)
    """
    COUNT.check("level", level)
    collection = open_collection(run)
    record = found_again(Path(run), RunRecord.load(Path(run)), data)
    if record.settings.source != "scenes":
        return evaluate_signals(Path(run), record, progress)
    lpips, reason = load_lpips()
    scores: dict[str, Scores] = {}
    for item, (held_out,) in held_out_views(collection, record, (level,), progress):
        scores[item.entry.id] = mean_scores(held_out.scores(lpips))
    if not scores:
        raise RunError(f"{run} has no held-out views to measure on: fit it with more views")
    stages = {}
    for stage in ("1", "2"):
        of_stage = [score for name, score in scores.items() if _stage(collection, name) == stage]
        if of_stage:
            stages[f"stage{stage}"] = {"objects": len(of_stage), **asdict(mean_scores(of_stage))}
    return {
        "mean": asdict(mean_scores(scores.values())),
        "objects": {name: asdict(score) for name, score in scores.items()},
        "stages": stages,
        "level": level,
        "notes": [f"lpips: {reason}"] if reason else ["lpips: squeeze"],
    }


def held_out_views(
    collection: Collection,
    record: RunRecord,
    levels: Sequence[int | None] = (None,),
    progress: Progress = silent,
    ids: Sequence[str] | None = None,
) -> Iterator[tuple[StoredObject, list[HeldOut]]]:
    """Every stored object (of `ids`) that has held-out views, with its renderings of them at each level (None: all
    layers). Raises ViewError where views are gone."""
    sources: dict[int, dict[str, ObjectViews]] = {}
    asked = collection if ids is None else ids
    ids = [name for name in asked if record.held_out.get(name, {}).get("views")]
    total, done = sum(len(record.held_out[name]["views"]) for name in ids) * len(levels), 0

    def seen(count: int) -> None:
        nonlocal done
        done += count
        progress("held-out views", done, total)

    for name in ids:
        held = record.held_out[name]
        folder = record.data[held["source"]]
        if held["source"] not in sources:
            check_at_hand(collection.path, folder)
            sources[held["source"]] = {item.id: item for item in read_views(folder)}
        source = sources[held["source"]].get(name)
        absent = set(held["views"]) - set(source.names) if source else set(held["views"])
        if source is None or absent:
            raise ViewError(f"{folder}: object {name} no longer has its held-out view {sorted(absent)[0]}")
        item = collection[name]
        bounds = torch.as_tensor(item.entry.bounds)
        views = [source.names.index(view) for view in held["views"]]
        yield (
            item,
            [
                render_codes(collection, item.code(level), bounds, source, views, record.size, level, seen)
                for level in levels
            ],
        )


def _stage(collection: Collection, name: str) -> str:
    return str(int(collection.entry(name).metrics.get("stage", 1)))
