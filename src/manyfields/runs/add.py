"""`add`: new objects to an existing run, against its frozen shared part."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from manyfields._checks import POSITIVE
from manyfields.collection import Collection, open_collection
from manyfields.collection.objects import open_shared_part
from manyfields.errors import RunError, ViewError
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.phases import Phase
from manyfields.memory import keep_freed_memory
from manyfields.runs.building import device, new_wave_fitter
from manyfields.runs.fit import fit_wave
from manyfields.runs.loading import load_objects, split_views, tell_problems
from manyfields.runs.lock import only_process
from manyfields.runs.plan import MOST_AT_ONCE
from manyfields.runs.record import RunRecord
from manyfields.runs.signals import add_signals
from manyfields.runs.trainer import Progress, StageFitter, seconds_per_step, silent
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
    `passed_over` gets their ids. `minutes` is for all new objects together; without it each gets the steps of the run's
    stage 2. `say` gets what was set aside; the report is written anew.
    Raises RunError where the run is not finished, ViewError where no new object is usable.
    """
    POSITIVE.check("minutes", minutes)
    folder = Path(run)
    keep_freed_memory()
    with only_process(folder):
        return _add(folder, Path(data), minutes, report, progress, say, passed_over)


def _add(
    folder: Path,
    data: Path,
    minutes: float | None,
    report: bool,
    progress: Progress,
    say: Callable[[str], None],
    passed_over: Callable[[Sequence[str]], None],
) -> Collection:
    record = RunRecord.load(folder)
    if not record.finished:
        again = f"manyfields fit {record.data[0]} --out {folder} --resume"
        raise RunError(f"{folder} is not finished: go on with `{again}`")
    if record.settings.signals is not None:
        return add_signals(folder, record, data, progress, say, passed_over)
    collection = open_collection(folder)
    kept, problems = usable_views(read_views(data))
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
    first = load_objects(waves[0], record, progress)
    if not first:
        raise ViewError(f"{data}: object {waves[0][0].id} and those after it could not be read; add them again")
    phases = _plan(record, collection, first, len(waves), minutes, progress)
    record.save(folder)
    for wave in waves:
        number = collection.sizes()["waves"]
        began = time.monotonic()
        objects = first if wave is waves[0] else load_objects(wave, record)
        share = sum(len(item.images) for item in objects) / sum(len(item.images) for item in first)
        scaled = [phase.planned(len(objects), 0, share) for phase in phases]
        fit_wave(folder, record, collection, objects, scaled, f"add.{number}", progress)
        record.seconds[f"add.{number}/objects"] = float(len(wave))
        record.seconds[f"add.{number}/wall"] = time.monotonic() - began
    record.save(folder)
    if report:
        from manyfields.runs.reporting import write_run_report

        write_run_report(folder, progress=progress)
    return collection


def _plan(
    record: RunRecord,
    collection: Collection,
    first: list[FittingObject],
    waves: int,
    minutes: float | None,
    progress: Progress,
) -> list[Phase]:
    """The phases of stage 2 with steps for waves of this size, scaled to `minutes` by a pilot where they are given."""
    data = FittingData(first, device(record.settings))
    phases = [phase.planned(len(data), data.views) for phase in record.settings.stage2]
    if minutes is None:
        return phases

    def fitter() -> StageFitter:
        shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
        return new_wave_fitter(record, shared, data)

    progress("pilot", 0, 1)
    times = seconds_per_step(fitter, phases)
    progress("pilot", 1, 1)
    seconds = waves * sum(time * phase.steps for time, phase in zip(times, phases, strict=True))
    factor = 60 * minutes / seconds
    return [phase.planned(len(data), data.views, factor) for phase in phases]
