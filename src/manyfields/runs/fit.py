"""`fit`: views of many objects to a run folder with a collection and its report."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manyfields._checks import POSITIVE, check_new_folder
from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.families.registry import new_fitter, new_shared, row_of
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.fitters import StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.settings import device
from manyfields.memory import keep_freed_memory
from manyfields.runs.loading import load_objects
from manyfields.runs.moved_views import found_again
from manyfields.runs.plan import Asked, longer, waves_of
from manyfields.runs.probe import held_out_probe, watch
from manyfields.runs.publishing import note_stage, publish
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.settings import chosen_settings, read_config
from manyfields.runs.signals import fit_signals, resume_signals
from manyfields.runs.starting import recorded_views, start
from manyfields.runs.storing import store_objects
from manyfields.runs.trainer import Clock, StageTrainer
from manyfields.views import ObjectViews, read_views


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
    """Fit all objects of a folder of views, in all stages; write collection, checkpoints and report to `out`.

    `objects` names those to fit, if not all; they are recorded, and a resumed run goes on with its own.
    `family` is "fused-planes", "octree", "tensorf", "factor-fields" or "mixture"; it chooses the preset if none is,
    and with it which settings there are.
    With "mixture-images" or "mixture-voxels" the folder is one of images or meshes, and no report is written.
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
        if settings.source != "scenes" and objects:
            raise ConfigError("objects: they can be named in folders of views alone; move the files apart instead")
        if not Path(data).exists():
            raise ViewError(f"{data}: no such folder")
        check_new_folder(run, Path(data))
        _refuse_another(run)
        run.mkdir(parents=True, exist_ok=True)
    with only_process(run):
        if resume:
            return _resume(Path(data), run, report, progress, say)
        _refuse_another(run)  # one that began since
        if settings.source != "scenes":
            return fit_signals(Path(data), run, settings, minutes, progress, say)
        asked = Asked(minutes, not fitting_alone, report, began)
        record, views, first = start(Path(data), objects, settings, asked, progress, say, clock)
        record.save(run)
        return _finish(run, record, views, first, report, progress, say)


def _resume(data: Path, run: Path, report: bool, progress: Progress, say: Callable[[str], None]) -> Collection:
    """Go on with a run from its last checkpoint, with its own settings."""
    record = RunRecord.load(run)
    signals = record.settings.source != "scenes"
    if data.resolve() != Path(record.data[0]) and not Path(record.data[0]).exists():
        record = found_again(run, record, [data])  # moved; `recorded_views` finds out whether they are the same
    if data.resolve() != Path(record.data[0]):
        raise RunError(f"{run} was fitted to {record.data[0]}, not to {data}: resume it with the same views")
    if record.finished:
        if report and not signals and not (run / "report.html").exists():
            _report(run, progress)
        return open_collection(run)
    if signals:
        return resume_signals(run, record, progress)
    progress("checking views", 0, 1)
    views = recorded_views(read_views(record.data[0]), record)
    progress("checking views", 1, 1)
    first = load_objects([views[name] for name in record.readable(record.stage1)], record, progress)
    return _finish(run, record, views, first, report, progress, say)


def _finish(
    run: Path,
    record: RunRecord,
    views: dict[str, ObjectViews],
    first: list[FittingObject],
    report: bool,
    progress: Progress,
    say: Callable[[str], None],
) -> Collection:
    collection = _fit_stages(run, record, views, first, progress, say)
    if not len(collection):
        raise ViewError(f"{run}: no object could be stored: {record.problems[-1]['message']}")
    record.finished = True
    record.save(run)
    if report:
        _report(run, progress)
    return collection


def _refuse_another(run: Path) -> None:
    if (run / FILE).exists() or (run / "collection.json").exists():
        raise RunError(f"{run} holds a run already: go on with --resume, or choose another folder")


def _report(run: Path, progress: Progress) -> None:
    from manyfields.runs.reporting import write_run_report

    write_run_report(run, progress=progress)


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _fit_stages(
    run: Path,
    record: RunRecord,
    views: dict[str, ObjectViews],
    first: list[FittingObject],
    progress: Progress,
    say: Callable[[str], None],
) -> Collection:
    settings = record.settings
    if row_of(settings).shares == "network":
        return _fit_alone(run, record, first, progress, say)
    fitter = new_fitter(settings, new_shared(settings, first), FittingData(first, device(settings)), average=False)
    times = record.step_seconds.get("stage1", [])
    trainer = _train(run, record, fitter, record.phases1, "stage 1", "stage1", progress, say, step_seconds=times)
    note_stage(record, run, "stage1", trainer)
    fitter.shared.family.remember_average(fitter.store.all())
    if settings.policy == "joint" and record.stage2:
        second = load_objects([views[name] for name in record.readable(record.stage2)], record, progress)
        record.save(run)
        return _finish_jointly(run, record, first + second, fitter, longer(record, trainer.spare), progress, say)
    fitter.store.codes.update(fitter.shared.family.balance(fitter.store.all()).tensors)
    collection = publish(run, record, fitter.shared)
    _store(record, collection, fitter, 1, progress)
    waves = waves_of(record)
    more = longer(record, trainer.spare)
    planned_views = sum(record.held_out[name]["trained"] for name in waves[0]) if waves else 0
    for number, wave in enumerate(waves):
        new = [views[name] for name in record.readable(wave) if name not in collection]
        # Steps were planned for the first wave; the last one may be smaller.
        share = sum(record.held_out[name]["trained"] for name in wave) / planned_views
        phases = [phase.planned(len(wave), 0, share * more) for phase in record.phases2]
        objects = load_objects(new, record, progress)
        record.save(run)
        fit_wave(run, record, collection, objects, phases, f"stage 2.{number + 1}", progress, say)
    return collection


def _fit_alone(
    run: Path, record: RunRecord, objects: list[FittingObject], progress: Progress, say: Callable[[str], None]
) -> Collection:
    """One stage: every object on its own octree or grids, and the network that all share."""
    began = time.monotonic()
    settings, data = record.settings, FittingData(objects, device(record.settings))
    fitter = new_fitter(settings, new_shared(settings, objects), data, average=False, progress=progress)
    spent = {"before steps": time.monotonic() - began}
    trainer = _train(run, record, fitter, record.phases1, "stage 1", "stage1", progress, say, spent)
    note_stage(record, run, "stage1", trainer)
    collection = publish(run, record, fitter.shared)
    _store(record, collection, fitter, 1, progress)
    return collection


def fit_wave(
    run: Path,
    record: RunRecord,
    collection: Collection,
    objects: list[FittingObject],
    phases: Sequence[Phase],
    name: str,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """Fit the codes of some objects against the published shared part, and store them as one wave."""
    if not objects:
        return
    shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
    data = FittingData(objects, device(record.settings))
    fitter = new_fitter(record.settings, shared, data, average=True)
    trainer = _train(run, record, fitter, phases, name, name.replace(" ", "-"), progress, say)
    note_stage(record, run, name, trainer)
    _store(record, collection, fitter, 2, progress)


def _finish_jointly(
    run: Path,
    record: RunRecord,
    objects: list[FittingObject],
    fitter: RayFitter,
    more: float,
    progress: Progress,
    say: Callable[[str], None],
) -> Collection:
    """Stage 2 that fine-tunes the shared part. Objects of stage 1 stay among the drawn ones, lest it forgets them."""
    data = FittingData(objects, device(record.settings))
    together = new_fitter(record.settings, fitter.shared, data, average=True)
    for name, tensor in together.store.codes.items():
        tensor[: len(fitter.store)] = fitter.store.codes[name]
    if together.guides is not None and fitter.guides is not None:
        together.guides.values[: len(fitter.store)] = fitter.guides.values
    phases = [phase.planned(len(objects), 0, more) for phase in record.phases2]
    times = record.step_seconds.get("stage2", [])
    trainer = _train(run, record, together, phases, "stage 2", "stage2", progress, say, step_seconds=times)
    note_stage(record, run, "stage2", trainer)
    together.shared.family.remember_average(together.store.all())
    collection = publish(run, record, together.shared)
    _store(record, collection, together, 2, progress)
    return collection


def _train(
    run: Path,
    record: RunRecord,
    fitter: StageFitter,
    phases: Sequence[Phase],
    name: str,
    checkpoint: str,
    progress: Progress,
    say: Callable[[str], None],
    spent: dict[str, float] | None = None,
    step_seconds: Sequence[float] = (),
) -> StageTrainer:
    """Run a stage from its checkpoint, or from its start where there is none. `spent`: time before that start."""
    trainer = StageTrainer(
        name,
        fitter,
        phases,
        run / "checkpoints" / f"{checkpoint}.safetensors",
        every_seconds=record.settings.checkpoint_seconds,
        progress=progress,
        probe=held_out_probe(fitter, record.settings.final_sampler, record.size),
        watch=watch(fitter, record.settings.final_sampler, record.size),
        step_seconds=step_seconds,
        say=say,
        seconds=spent or {},
    )
    trainer.run()
    return trainer


def _store(record: RunRecord, collection: Collection, fitter: StageFitter, stage: int, progress: Progress) -> None:
    missing = [row for row, item in enumerate(fitter.data.objects) if item.id not in collection]
    if missing:
        objects = [fitter.data.objects[row] for row in missing]
        store_objects(collection, objects, fitter.codes_of(missing), record, stage, progress)
