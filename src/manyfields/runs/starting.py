"""What is decided before any training: which views, which objects in which stage, how many steps; or read back."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from manyfields.errors import RunError, ViewError
from manyfields.evaluation.machine import describe_machine
from manyfields.fitting.data import FittingObject, image_size
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings
from manyfields.runs.loading import load_objects, lose, split_views, tell_problems
from manyfields.runs.plan import Asked, objects_at_once, plan_steps, waves_of
from manyfields.runs.probe import spare_views
from manyfields.runs.record import RunRecord
from manyfields.runs.stages import split_stages
from manyfields.runs.trainer import Clock
from manyfields.views import ObjectViews, ViewSet, read_views, usable_views


def recorded_views(views: ViewSet, record: RunRecord) -> dict[str, ObjectViews]:
    """The objects of a recorded run, without the views that were set aside then. Raises where they are others now.

    What has become unusable since is lost, unless the shared part learns from it.
    """
    kept, problems = usable_views(views)
    for problem in problems:
        if problem.fatal and problem.object in record.readable(record.stage2) and problem.object not in kept.ids:
            lose(record, problem)
    ids = record.readable(record.stage1 + record.stage2)
    absent = sorted(set(ids) - set(kept.ids))
    if absent:
        raise ViewError(f"{views.path}: object {absent[0]} of this run is no longer there or no longer usable")
    for name in ids:
        train, test = split_views(kept[name], record)
        recorded = dict(record.held_out[name])
        recorded["trained"] += len(recorded.pop("aside", ()))
        if _held_out(kept[name], train, test) != recorded:
            raise RunError(
                f"{views.path}: object {name} has other views than when this run began: fit it into a new run"
            )
    return {name: kept[name] for name in ids}


def _held_out(views: ObjectViews, train: list[int], test: list[int]) -> dict[str, Any]:
    return {"source": 0, "views": [views.names[i] for i in test], "trained": len(train)}


def start(
    data: Path,
    objects: Sequence[str],
    settings: FitSettings,
    asked: Asked,
    progress: Progress,
    say: Callable[[str], None],
    clock: Clock,
) -> tuple[RunRecord, dict[str, ObjectViews], list[FittingObject]]:
    """Read and split the views, plan the steps: everything that is decided before any training."""
    progress("checking views", 0, 1)
    kept, problems = usable_views(read_views(data).only(objects))
    progress("checking views", 1, 1)
    tell_problems(problems, say)
    if not len(kept):
        raise ViewError(f"{data}: no object is usable; `manyfields views check {data}` says why")
    stage1, stage2 = split_stages(kept.objects, settings.stage1_size(len(kept)), settings.seed)
    record = RunRecord(
        settings=settings,
        data=[str(data.resolve())],
        size=image_size(kept.objects, settings.stride),
        stage1=[item.id for item in stage1],
        stage2=[item.id for item in stage2],
        held_out={},
        machine=describe_machine().line,
        command=shlex.join(["manyfields", *sys.argv[1:]]),
        problems=[asdict(problem) for problem in problems],
    )
    for views in kept:
        train, test = split_views(views, record)
        record.held_out[views.id] = _held_out(views, train, test)
    spare_views(record, stage1, settings.stage1)
    reading = clock()
    first = load_objects(stage1, record, progress)
    reading = (clock() - reading) / len(stage1)
    if not first:
        raise ViewError(f"{data}: no object of stage 1 could be read")
    if settings.wave is None:
        # Decided once, and recorded: waves of a resumed run must be those of the run that it goes on with.
        record.settings = replace(settings, wave=objects_at_once(first[0], settings.code_shapes(len(first))))
    for wave in waves_of(record):
        spare_views(record, [kept[name] for name in wave], settings.stage2)
    if spared := sum(len(held.get("aside", ())) for held in record.held_out.values()):
        say(f"{spared} training views, each of another object, are set aside to see when a phase brings nothing more")
    if forecast := plan_steps(record, first, replace(asked, reading=reading), progress, clock):
        say(forecast)
    return record, {views.id: views for views in kept}, first
