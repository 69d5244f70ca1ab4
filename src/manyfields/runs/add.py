"""`add`: new objects to an existing run, against its frozen shared part."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from manyfields._checks import POSITIVE
from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.errors import RunError, ViewError
from manyfields.fitting.fitters import StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import device
from manyfields.memory import keep_freed_memory
from manyfields.runs.begin import check_usable
from manyfields.runs.plan import LEAST_SHARE_FOR_STEPS, MOST_AT_ONCE, Asked, cannot_hold
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.loading import tell_problems
from manyfields.runs.sources.table import source_of
from manyfields.runs.trainer import seconds_per_step
from manyfields.runs.under_way import RunUnderWay


def add(
    run: Path | str,
    data: Path | str,
    *,
    minutes: float | None = None,
    report: bool = True,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
    passed_over: Callable[[Sequence[str]], None] = lambda ids: None,
) -> Collection:
    """Fit the codes of new objects and append them, wave by wave; nothing that is stored already changes by a byte.

    Objects whose id is stored already are passed over, so a call that was interrupted is repeated to go on;
    `passed_over` gets their ids. `minutes` is for all new objects together and all that a caller waits for, measuring
    and the report included; without it each gets the steps of the run's stage 2. `say` gets what was set aside; the
    report is written anew.
    Raises RunError where the run is not finished, ViewError where no new object is usable.

    >>> sorted(add("runs/vehicles", "data/new", report=False))
    ['bus', 'car', 'truck', 'van']
    """
    POSITIVE.check("minutes", minutes)
    folder, asked = Path(run), Asked(minutes, report=report, began=time.monotonic())
    keep_freed_memory()
    with only_process(folder):
        return _add(folder, Path(data), asked, progress, say, passed_over)


def _add(
    folder: Path,
    data: Path,
    asked: Asked,
    progress: Progress,
    say: Callable[[str], None],
    passed_over: Callable[[Sequence[str]], None],
) -> Collection:
    record = RunRecord.load(folder)
    if not record.finished:
        again = f"manyfields fit {record.data[0]} --out {folder} --resume"
        raise RunError(f"{folder} is not finished: go on with `{again}`")
    run = RunUnderWay(folder, record, source_of(record.settings), progress, say)
    collection, settings, source = open_collection(folder), record.settings, run.source
    found = source.find(data, settings, (), progress)
    tell_problems(found.problems, say)
    new = [item for item in found.objects if item.id not in collection]
    passed_over([item.id for item in found.objects if item.id in collection])
    if not new:
        check_usable(found)
        return collection
    record.trained_here()
    path = str(data.resolve())
    if path not in record.data:
        record.data.append(path)
    for item in new:
        record.held_out[item.id] = {"source": record.data.index(path), **source.held_out(item, settings)}
    record.problems += [asdict(problem) for problem in found.problems]
    size = settings.wave or MOST_AT_ONCE
    waves = [new[start : start + size] for start in range(0, len(new), size)]
    for wave in waves:
        source.spare(record, wave, settings.stage2)
    reading = time.monotonic()
    first = source.load(waves[0], record, progress)
    record.spend("reading", time.monotonic() - reading)
    asked = replace(asked, reading=(time.monotonic() - reading) / len(waves[0]))
    if not first:
        raise ViewError(f"{data}: object {waves[0][0].id} and those after it could not be read; add them again")
    phases, factor = _plan(run, collection, first, [item.id for item in new], len(waves), asked)
    planned = source.data(first, device(settings)).views
    record.save(folder)
    for wave in waves:
        name = f"add.{collection.sizes()['waves']}"
        began = time.monotonic()
        objects = first if wave is waves[0] else run.load(wave)
        if objects:
            share = source.data(objects, device(settings)).views / planned
            scaled = source.phases_of_wave(settings, phases, len(objects), share, factor)
            run.fit_wave(collection, objects, scaled, name)
        record.seconds[f"{name}/objects"] = float(len(wave))
        record.seconds[f"{name}/wall"] = time.monotonic() - began
    record.save(folder)
    if asked.report:
        from manyfields.runs.reporting import write_run_report

        write_run_report(folder, progress=progress)
    return collection


def _plan(
    run: RunUnderWay,
    collection: Collection,
    first: list[Any],
    new: Sequence[str],
    waves: int,
    asked: Asked,
) -> tuple[list[Phase], float]:
    """The phases of stage 2 with steps for waves of this size, and by what a pilot has scaled them to the minutes."""
    record, source, progress = run.record, run.source, run.progress
    data = source.data(first, device(record.settings))
    phases = [phase.planned(len(data), data.views) for phase in record.settings.stage2]
    own = source.phases_of_wave(record.settings, phases, len(data), 1.0)
    if asked.minutes is None or not own:
        return phases, 1.0

    def fitter() -> StageFitter:
        shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
        return source.wave_fitter(record.settings, shared, data, own)

    progress("pilot", 0, 2)
    times = seconds_per_step(fitter, own)
    progress("pilot", 1, 2)
    costs = source.costs(fitter(), record, time.monotonic)
    progress("pilot", 2, 2)
    steps = waves * sum(each * phase.steps for each, phase in zip(times, own, strict=True))
    around = time.monotonic() - (asked.began or 0.0) + asked.reading * (len(new) - len(first))
    around += waves * costs.looks(own, len(first), record.size) + costs.measuring(source.pictures_of(record, new))
    if asked.report:
        around += costs.report(source.pictures_of(record, list({*collection.ids, *new})))
    whole = 60 * asked.minutes
    if whole - around < LEAST_SHARE_FOR_STEPS * whole:
        run.say(cannot_hold(asked.minutes, around))
    factor = max(whole - around, LEAST_SHARE_FOR_STEPS * whole) / steps
    return [phase.planned(len(data), data.views, factor) for phase in record.settings.stage2], factor
