"""`add`: new objects to an existing run, against its frozen shared part."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from manyfields._checks import POSITIVE
from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.errors import RunError, ViewError
from manyfields.families.registry import new_fitter
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.fitters import StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import device
from manyfields.memory import keep_freed_memory
from manyfields.runs.costs import costs_of, held_out_counts
from manyfields.runs.fit import fit_wave
from manyfields.runs.loading import load_objects, split_views, tell_problems
from manyfields.runs.plan import LEAST_SHARE_FOR_STEPS, MOST_AT_ONCE, Asked, cannot_hold
from manyfields.runs.probe import spare_views
from manyfields.runs.record import RunRecord
from manyfields.runs.signals import add_signals
from manyfields.runs.trainer import seconds_per_step
from manyfields.views import read_views, usable_views


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
    if record.settings.source != "scenes":
        return add_signals(folder, record, data, progress, say, passed_over)
    collection = open_collection(folder)
    progress("checking views", 0, 1)
    kept, problems = usable_views(read_views(data))
    progress("checking views", 1, 1)
    tell_problems(problems, say)
    new = [item for item in kept if item.id not in collection]
    passed_over([item.id for item in kept if item.id in collection])
    if not new:
        if len(kept):
            return collection
        raise ViewError(f"{data}: no object is usable; `manyfields views check {data}` says why")
    source = str(Path(data).resolve())
    if source not in record.data:
        record.data.append(source)
    for item in new:
        train, test = split_views(item, record)
        held = {"source": record.data.index(source), "views": [item.names[i] for i in test], "trained": len(train)}
        record.held_out[item.id] = held
    record.problems += [asdict(problem) for problem in problems]
    size = record.settings.wave or MOST_AT_ONCE
    waves = [new[start : start + size] for start in range(0, len(new), size)]
    for wave in waves:
        spare_views(record, wave, record.settings.stage2)
    reading = time.monotonic()
    first = load_objects(waves[0], record, progress)
    asked = replace(asked, reading=(time.monotonic() - reading) / len(waves[0]))
    if not first:
        raise ViewError(f"{data}: object {waves[0][0].id} and those after it could not be read; add them again")
    phases = _plan(record, collection, first, [item.id for item in new], len(waves), asked, progress, say)
    record.save(folder)
    for wave in waves:
        number = collection.sizes()["waves"]
        began = time.monotonic()
        objects = first if wave is waves[0] else load_objects(wave, record, progress)
        share = sum(len(item.images) for item in objects) / sum(len(item.images) for item in first)
        scaled = [phase.planned(len(objects), 0, share) for phase in phases]
        fit_wave(folder, record, collection, objects, scaled, f"add.{number}", progress, say)
        record.seconds[f"add.{number}/objects"] = float(len(wave))
        record.seconds[f"add.{number}/wall"] = time.monotonic() - began
    record.save(folder)
    if asked.report:
        from manyfields.runs.reporting import write_run_report

        write_run_report(folder, progress=progress)
    return collection


def _plan(
    record: RunRecord,
    collection: Collection,
    first: list[FittingObject],
    new: Sequence[str],
    waves: int,
    asked: Asked,
    progress: Progress,
    say: Callable[[str], None],
) -> list[Phase]:
    """The phases of stage 2 with steps for waves of this size, scaled by a pilot to the minutes that are asked for."""
    data = FittingData(first, device(record.settings))
    phases = [phase.planned(len(data), data.views) for phase in record.settings.stage2]
    if asked.minutes is None:
        return phases

    def fitter() -> StageFitter:
        shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
        return new_fitter(record.settings, shared, data, average=True)

    progress("pilot", 0, 2)
    times = seconds_per_step(fitter, phases)
    progress("pilot", 1, 2)
    costs = costs_of(fitter(), record)
    progress("pilot", 2, 2)
    steps = waves * sum(each * phase.steps for each, phase in zip(times, phases, strict=True))
    around = time.monotonic() - (asked.began or 0.0) + asked.reading * (len(new) - len(first))
    around += waves * costs.looks(phases, len(first), record.size) + costs.measuring(held_out_counts(record, new))
    if asked.report:
        around += costs.report(held_out_counts(record, {*collection.ids, *new}))
    whole = 60 * asked.minutes
    if whole - around < LEAST_SHARE_FOR_STEPS * whole:
        say(cannot_hold(asked.minutes, around))
    factor = max(whole - around, LEAST_SHARE_FOR_STEPS * whole) / steps
    return [phase.planned(len(data), data.views, factor) for phase in phases]
