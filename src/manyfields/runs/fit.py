"""`fit`: a folder of objects to a run folder with a collection and its report."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manyfields._checks import POSITIVE, check_new_folder
from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.errors import RunError, ViewError
from manyfields.families.registry import new_fitter, new_shared, row_of
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import device
from manyfields.memory import keep_freed_memory
from manyfields.runs.begin import begin, recorded_objects
from manyfields.runs.plan import Asked, longer, waves_of
from manyfields.runs.publishing import publish
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.settings import chosen_settings, read_config
from manyfields.runs.sources.moved import found_again
from manyfields.runs.sources.table import source_of
from manyfields.runs.trainer import Clock
from manyfields.runs.under_way import RunUnderWay


def fit(
    data: Path | str,
    out: Path | str,
    *,
    minutes: float | None = None,
    objects: Sequence[str] = (),
    resume: bool = False,
    family: str | None = None,
    preset: str | None = None,
    config: Path | str | None = None,
    report: bool = True,
    fitting_alone: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
    clock: Clock = time.monotonic,
    **changes: Any,
) -> Collection:
    """Fit all objects of a folder, in all stages; write collection, checkpoints and report to `out`.

    `objects` names those to fit, if not all; they are recorded, and a resumed run goes on with its own.
    `family` is "fused-planes", "octree", "tensorf", "factor-fields" or "mixture"; it chooses the preset if none is,
    and with it which settings there are. Of "mixture-images" and "mixture-voxels" the folder is one of images or of
    meshes.
    `minutes` scales the preset's steps to a time, by a pilot on this machine, and is recorded as steps. It is for all
    that a caller waits for, reading, measuring and the report included, or with `fitting_alone` for fitting.
    `config` is a JSON file of settings; `changes` are settings by name (`seed`, `resolution`, `bits`, ...; those of a
    family are shown by `manyfields fit FAMILY --help`) and win over it. `say` gets the forecast before a long run, what
    was set aside, and which phases ended early. With `resume` a run goes on from its last checkpoint, with its recorded
    settings. Raises RunError where `out` holds another run, or another process writes to it; ViewError where no object
    is usable, ConfigError for settings without meaning.

    >>> collection = fit("data/vehicles", "runs/again", config="small.json", stage1_objects=2, report=False)
    >>> sorted(collection), collection.verify()
    (['car', 'truck', 'van'], [])
    """
    run, began = Path(out), clock()
    POSITIVE.check("minutes", minutes)
    keep_freed_memory()
    if resume:
        RunRecord.load(run)  # a folder without a run is not touched
    else:
        settings = chosen_settings(preset, read_config(config), _given(changes), family)
        if not Path(data).exists():
            raise ViewError(f"{data}: no such folder")
        check_new_folder(run, Path(data))
        _refuse_another(run)
        run.mkdir(parents=True, exist_ok=True)
    with only_process(run):
        if resume:
            return _resume(Path(data), run, report, progress, say)
        _refuse_another(run)  # one that began since
        asked = Asked(minutes, not fitting_alone, report, began)
        record, found, first = begin(Path(data), objects, settings, asked, progress, say, clock)
        record.save(run)
        return _finish(RunUnderWay(run, record, source_of(settings), progress, say), found, first, report)


def _resume(data: Path, folder: Path, report: bool, progress: Progress, say: Callable[[str], None]) -> Collection:
    """Go on with a run from its last checkpoint, with its own settings."""
    record = RunRecord.load(folder)
    if data.resolve() != Path(record.data[0]) and not Path(record.data[0]).exists():
        record = found_again(folder, record, [data])  # moved; `recorded_objects` finds out whether it is the same
    if data.resolve() != Path(record.data[0]):
        raise RunError(f"{folder} was fitted to {record.data[0]}, not to {data}: resume it with the same data")
    if record.finished:
        if report and not (folder / "report.html").exists():
            _report(folder, progress)
        return open_collection(folder)
    record.trained_here()
    run = RunUnderWay(folder, record, source_of(record.settings), progress, say)
    found = recorded_objects(record, run.source, progress)
    first = run.source.load([found[name] for name in record.readable(record.stage1)], record, progress)
    return _finish(run, found, first, report)


def _finish(run: RunUnderWay, found: dict[str, Any], first: list[Any], report: bool) -> Collection:
    collection = _fit_stages(run, found, first)
    if not len(collection):
        raise ViewError(f"{run.folder}: no object could be stored: {run.record.problems[-1]['message']}")
    run.record.finished = True
    run.record.save(run.folder)
    if report:
        _report(run.folder, run.progress)
    return collection


def _refuse_another(run: Path) -> None:
    if (run / FILE).exists() or (run / "collection.json").exists():
        raise RunError(f"{run} holds a run already: go on with --resume, or choose another folder")


def _report(run: Path, progress: Progress) -> None:
    from manyfields.runs.reporting import write_run_report

    write_run_report(run, progress=progress)


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _fit_stages(run: RunUnderWay, found: dict[str, Any], first: list[Any]) -> Collection:
    """Stage 1, which learns the shared part, and stage 2, wave by wave. Objects that share a network have no second."""
    record, settings, source = run.record, run.record.settings, run.source
    began = time.monotonic()
    data = source.data(first, device(settings))
    fitter = new_fitter(settings, new_shared(settings, first), data, average=False, progress=run.progress)
    before = time.monotonic() - began
    # Own fields are grown before the first step, which is a part of stage 1.
    spent = {"before steps": before} if row_of(settings).shares == "network" else None
    if spent is None:
        record.seconds["pixels"] = before
    trainer = run.train(fitter, record.phases1, "stage 1", spent, record.step_seconds.get("stage1", []))
    more = longer(record, trainer.spare)
    joint = settings.policy == "joint" and bool(record.stage2)
    fitter.finish(frozen=not joint)
    if joint:
        second = run.load([found[name] for name in record.readable(record.stage2)])
        return _finish_jointly(run, first + second, fitter, more)
    collection = publish(run.folder, record, fitter.shared)
    source.store_first(run, collection, fitter)
    waves = waves_of(record)
    planned = _trained(record, waves[0]) if waves else 0
    for number, wave in enumerate(waves):
        new = [found[name] for name in record.readable(wave) if name not in collection]
        # Steps were planned for the first wave; the last one may be smaller.
        share = _trained(record, wave) / planned * more
        phases = source.phases_of_wave(settings, record.phases2, len(wave), share)
        run.fit_wave(collection, run.load(new), phases, f"stage 2.{number + 1}")
    return collection


def _trained(record: RunRecord, ids: Sequence[str]) -> int:
    """What an epoch of some objects sees; runs of images and voxels of earlier versions do not say."""
    return sum(record.held_out[name]["trained"] if name in record.held_out else 1 for name in ids)


def _finish_jointly(run: RunUnderWay, objects: list[Any], fitter: Any, more: float) -> Collection:
    """Stage 2 that fine-tunes the shared part. Objects of stage 1 stay among the drawn ones, lest it forgets them."""
    record, settings = run.record, run.record.settings
    data = run.source.data(objects, device(settings))
    together: Any = new_fitter(settings, fitter.shared, data, average=True)
    for name, tensor in together.store.codes.items():
        tensor[: len(fitter.store)] = fitter.store.codes[name]
    if together.guides is not None and fitter.guides is not None:
        together.guides.values[: len(fitter.store)] = fitter.guides.values
    phases = [phase.planned(len(objects), 0, more) for phase in record.phases2]
    run.train(together, phases, "stage 2", step_seconds=record.step_seconds.get("stage2", []))
    together.finish(frozen=False)
    collection = publish(run.folder, record, together.shared)
    run.store(collection, together, 2)
    return collection
