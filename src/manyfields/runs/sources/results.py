"""What the report shows of stored objects: their figures, and pictures beside what these should be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from manyfields.collection import Collection
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.report import ObjectResult, Picture
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.progress import Progress
from manyfields.runs.plane_maps import plane_maps
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.held_out import HeldOut, as_bytes, held_out_views

OBJECTS_WITH_PICTURES = 48
PICTURES_OF_AN_OBJECT = 2

Shown = tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]]
"""What it should be, and what came out."""


def view_results(collection: Collection, record: RunRecord, progress: Progress) -> Iterator[ObjectResult]:
    """Objects on their held-out views, whole and from their first layer; last those whose views are gone."""
    lpips, _ = load_lpips()
    layered = len(collection.shared_part.family.config.coarse_levels) > 0
    gone = gone_folders(collection, record)
    seen = [name for name in collection if name not in gone]
    levels = (None, 1) if layered else (None,)
    for number, (item, renderings) in enumerate(held_out_views(collection, record, levels, progress, seen)):
        views, name = renderings[0].scores(lpips), item.entry.id
        first = {"layer0": mean_scores(renderings[1].scores())} if layered else {}
        pictured = number < OBJECTS_WITH_PICTURES
        yield _result(
            collection,
            record,
            name,
            mean_scores(views),
            test_views=len(renderings[0].names),
            pictures=_pictures(renderings[0], renderings[1] if layered else None, views) if pictured else (),
            maps=plane_maps(collection, name) if pictured else (),
            **first,
        )
    for name in gone:
        yield _result(collection, record, name, _of_index(collection.entry(name).metrics), test_views=0)


def instance_results(
    collection: Collection,
    record: RunRecord,
    scores: Mapping[str, Mapping[str, float | None]],
    shown: Mapping[str, Shown],
) -> Iterator[ObjectResult]:
    """Instances with their `scores`, and pictures of some; last those that have none, with what was measured when they
    were stored."""
    for name in [*scores, *(each for each in collection if each not in scores)]:
        metrics = scores.get(name, collection.entry(name).metrics)
        pictures = (Picture("whole", *shown[name], psnr=metrics.get("psnr")),) if name in shown else ()
        yield _result(
            collection, record, name, Scores(psnr=metrics.get("psnr")), iou=metrics.get("iou"), pictures=pictures
        )


def gone_folders(collection: Collection, record: RunRecord) -> dict[str, str]:
    """By object: the folder of its views, where that is gone."""
    folders = {name: record.data[held["source"]] for name, held in record.held_out.items() if held["views"]}
    absent = {folder for folder in set(folders.values()) if not Path(folder).exists()}
    return {name: folders[name] for name in collection if folders.get(name) in absent}


def _result(collection: Collection, record: RunRecord, name: str, scores: Scores, **more: Any) -> ObjectResult:
    entry, held = collection.entry(name), record.held_out.get(name, {})
    more = {"layer0": _of_index(entry.metrics, "layer0_"), **more}
    return ObjectResult(
        id=name,
        group=entry.group,
        stage=int(entry.metrics.get("stage", 1)),
        train_views=held.get("trained") if held.get("views") else None,
        scores=scores,
        bytes=entry.bytes,
        **more,
    )


def _of_index(metrics: Mapping[str, float], prefix: str = "") -> Scores:
    """What was measured when an object was stored."""
    return Scores(**{name: metrics.get(prefix + name) for name in asdict(Scores())})


def _pictures(whole: HeldOut, coarse: HeldOut | None, scores: Sequence[Scores]) -> tuple[Picture, ...]:
    truth, rendered = as_bytes(whole.truth).numpy(), as_bytes(whole.rendered).numpy()
    layer0 = None if coarse is None else as_bytes(coarse.rendered).numpy()
    shown = np.linspace(0, len(truth) - 1, min(PICTURES_OF_AN_OBJECT, len(truth))).round().astype(int)
    return tuple(
        Picture(
            whole.names[i],
            truth[i],
            rendered[i],
            None if layer0 is None else layer0[i],
            scores[i].psnr,
            scores[i].foreground_psnr,
        )
        for i in shown
    )
