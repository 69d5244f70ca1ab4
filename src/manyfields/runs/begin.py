"""How a run begins or goes on: which objects, in which stage, how many steps. Decided once, and then read back."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from manyfields.errors import RunError, ViewError
from manyfields.evaluation.machine import describe_machine
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings
from manyfields.runs.plan import Asked, plan_steps, waves_of
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.loading import lose, tell_problems
from manyfields.runs.sources.source import Found, Source
from manyfields.runs.sources.table import source_of
from manyfields.runs.stages import split_stages
from manyfields.runs.trainer import Clock


def begin(
    data: Path,
    objects: Sequence[str],
    settings: FitSettings,
    asked: Asked,
    progress: Progress,
    say: Callable[[str], None],
    clock: Clock,
) -> tuple[RunRecord, dict[str, Any], list[Any]]:
    """Find and split the objects, plan the steps: everything that is decided before any training.

    Returns the record, what was found by id, and the objects of stage 1 as they are loaded.
    """
    source = source_of(settings)
    found = source.find(data, settings, objects, progress)
    tell_problems(found.problems, say)
    check_usable(found)
    together = source.stage1_objects(found, settings)
    stage1, stage2 = split_stages(found.objects, together, settings.seed)
    record = RunRecord(
        settings=settings,
        data=[str(data.resolve())],
        size=source.size(found.objects, settings),
        stage1=[item.id for item in stage1],
        stage2=[item.id for item in stage2],
        held_out={item.id: {"source": 0, **source.held_out(item, settings)} for item in found.objects},
        machine=describe_machine().line,
        command=shlex.join(["manyfields", *sys.argv[1:]]),
        problems=[asdict(problem) for problem in found.problems],
    )
    record.trained_here()
    source.spare(record, stage1, settings.stage1)
    reading = clock()
    first = source.load(stage1, record, progress)
    record.spend("reading", clock() - reading)
    reading = (clock() - reading) / len(stage1)
    if not first:
        raise ViewError(f"{data}: no object of stage 1 could be read")
    if settings.wave is None:
        # Decided once, and recorded: waves of a resumed run must be those of the run that it goes on with.
        record.settings = replace(settings, wave=source.wave(settings, first))
    here = found.by_id()
    for wave in waves_of(record):
        source.spare(record, [here[name] for name in wave], settings.stage2)
    if spared := sum(len(held.get("aside", ())) for held in record.held_out.values()):
        say(f"{spared} training views, each of another object, are set aside to see when a phase brings nothing more")
    if forecast := plan_steps(record, source, first, replace(asked, reading=reading), progress, clock):
        say(forecast)
    return record, here, first


def check_usable(found: Found) -> None:
    """Raises ViewError where no object is usable."""
    if not found.objects:
        raise ViewError(f"{found.folder}: no object is usable; `manyfields views check {found.folder}` says why")


def recorded_objects(record: RunRecord, source: Source, progress: Progress) -> dict[str, Any]:
    """The objects of a recorded run, without what was set aside then. Raises where they are others now.

    What has become unusable since is lost, unless the shared part learns from it.
    """
    found = source.find(Path(record.data[0]), record.settings, (), progress)
    here = found.by_id()
    for problem in found.problems:
        if problem.fatal and problem.object in record.readable(record.stage2) and problem.object not in here:
            lose(record, problem)
    ids = record.readable(record.stage1 + record.stage2)
    if absent := sorted(set(ids) - set(here)):
        raise ViewError(f"{found.folder}: object {absent[0]} of this run is no longer there or no longer usable")
    # Runs of images and voxels of earlier versions have none of these.
    for name in (each for each in ids if each in record.held_out):
        recorded = dict(record.held_out[name])
        recorded["trained"] += len(recorded.pop("aside", ()))
        recorded.pop("digest", None)
        if {"source": 0, **source.held_out(here[name], record.settings)} != recorded:
            raise RunError(
                f"{found.folder}: object {name} has other views than when this run began: fit it into a new run"
            )
    return {name: here[name] for name in ids}
