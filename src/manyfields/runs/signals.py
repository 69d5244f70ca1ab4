"""`fit`, `add` and `evaluate` of images and voxels: latent vectors of instances, in a collection like any other.

    folder ──► instances, split by group ──► stage 1: shared part ──► their latent vectors ──► collection
                          └──► stage 2: those that it has never seen, against the frozen shared part ──┘

What is measured of stage 2 is what the shared part can do with the unseen.
"""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from manyfields.collection import Collection, ObjectRecord, open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.errors import RunError, ViewError
from manyfields.evaluation.machine import describe_machine
from manyfields.families.mixture.instance_data import SignalData
from manyfields.families.mixture.instance_fitter import SignalFitter
from manyfields.families.mixture.scores import instance_scores
from manyfields.families.mixture.settings import InstanceSettings
from manyfields.families.registry import new_fitter, new_shared
from manyfields.fields import Codes
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import FitSettings, device
from manyfields.runs.loading import tell_problems
from manyfields.runs.moved_views import check_at_hand
from manyfields.runs.publishing import note_stage, publish
from manyfields.runs.record import RunRecord
from manyfields.runs.stages import split_stages
from manyfields.runs.storing import append_sound
from manyfields.runs.trainer import StageTrainer, seconds_per_step
from manyfields.views.signals import SignalSet, picked, read_images
from manyfields.views.voxels import read_voxels

SHARE_FOR_FITTING = 0.9
MOST_FOR_VECTORS = 0.5  # of that


def read_signals(folder: Path | str, settings: FitSettings) -> SignalSet:
    """The instances of a folder, as a fit of these settings reads them. Raises ViewError, MeshError."""
    assert isinstance(settings, InstanceSettings)
    reader = read_images if settings.source == "images" else read_voxels
    return reader(folder, settings.side)


def fit_signals(
    data: Path, run: Path, settings: FitSettings, minutes: float | None, progress: Progress, say: Callable[[str], None]
) -> Collection:
    """A new run. `settings`: with a mixture of images or voxels."""
    found = read_signals(data, settings)
    tell_problems(found.problems, say)
    if len(found) < 2:
        raise ViewError(f"{data}: holds one instance alone; a mixture needs some that share something")
    instances = SignalData(found).objects
    stage1, stage2 = split_stages(instances, settings.stage1_size(len(found)), settings.seed)
    record = RunRecord(
        settings=settings,
        data=[str(data.resolve())],
        size=(found.side, found.side),
        stage1=[item.id for item in stage1],
        stage2=[item.id for item in stage2],
        held_out={},
        machine=describe_machine().line,
        command=shlex.join(["manyfields", *sys.argv[1:]]),
        problems=[asdict(problem) for problem in found.problems],
    )
    record.phases1 = [phase.planned(len(stage1), len(stage1)) for phase in settings.stage1]
    if stage2:
        record.phases2 = phases_of_wave(record, min(len(stage2), wave_of(record)))
    if minutes is not None:
        _scale(record, found, minutes, progress)
    run.mkdir(parents=True, exist_ok=True)
    record.save(run)
    return go_on(run, record, found, progress)


def resume_signals(run: Path, record: RunRecord, progress: Progress) -> Collection:
    """Go on with a run from its last checkpoint. Raises ViewError where its instances are not there any more."""
    return go_on(run, record, read_signals(record.data[0], record.settings), progress)


def go_on(run: Path, record: RunRecord, found: SignalSet, progress: Progress) -> Collection:
    """All of a run that is not done yet."""
    if absent := sorted(set(record.stage1 + record.stage2) - set(found.ids)):
        raise ViewError(f"{found.path}: {absent[0]} of this run is no longer there or no longer usable")
    collection = open_collection(run) if (run / "collection.json").exists() else None
    if collection is None or any(name not in collection for name in record.stage1):
        data = _of(found, record.stage1, record)
        fitter = new_fitter(record.settings, new_shared(record.settings, []), data, average=False)
        _train(run, record, fitter, record.phases1, "stage 1", progress)
        if not meta_learned(record):  # meta-learning starts from 0, also what it has never seen
            fitter.shared.family.remember_average(fitter.store.all())
        collection = publish(run, record, fitter.shared)
        kept = None if meta_learned(record) else fitter.codes_of(range(len(data)))
        # What meta-learning has seen is adapted like what it has not; kept vectors go on from where they are.
        add_instances(run, record, collection, picked_by_id(found, record.stage1), "codes 1", progress, 1, kept)
    add_instances(run, record, collection, picked_by_id(found, record.stage2), "stage 2", progress)
    record.finished = True
    record.save(run)
    return collection


def add_signals(
    run: Path,
    record: RunRecord,
    data: Path,
    progress: Progress,
    say: Callable[[str], None],
    passed_over: Callable[[Sequence[str]], None],
) -> Collection:
    """Fit the latent vectors of new instances and append them. Raises ViewError where none is usable."""
    collection, found = open_collection(run), read_signals(data, record.settings)
    tell_problems(found.problems, say)
    if (source := str(data.resolve())) not in record.data:
        record.data.append(source)
    record.problems += [asdict(problem) for problem in found.problems]
    new = [name for name in found.ids if name not in collection]
    passed_over([name for name in found.ids if name in collection])
    add_instances(run, record, collection, picked_by_id(found, new), f"add.{collection.sizes()['waves']}", progress)
    record.save(run)
    return collection


def add_instances(
    run: Path,
    record: RunRecord,
    collection: Collection,
    found: SignalSet,
    name: str,
    progress: Progress,
    stage: int = 2,
    kept: Codes | None = None,
) -> None:
    """Fit and store those that are not there yet, wave by wave, against the shared part as it is.

    `kept`: the codes of all of `found`, to go on from, which only learn on if the run refines.
    """
    size, settings = wave_of(record), record.settings
    assert isinstance(settings, InstanceSettings)
    row_of = {name: row for row, name in enumerate(found.ids)}
    for number, start in enumerate(range(0, len(found), size), 1):
        wave = [each for each in found.ids[start : start + size] if each not in collection]
        if not wave:
            continue
        fitter = new_fitter(record.settings, open_shared_part(collection), _of(found, wave, record), average=True)
        if kept is not None:
            fitter.store = CodeStore(kept[[row_of[name] for name in wave]])
        phases = phases_of_wave(record, len(wave)) if kept is None or settings.refine else []
        if phases:
            fitter = fitter.keeping()
            _train(run, record, fitter, phases, f"{name}.{number}", progress)
        store_instances(collection, fitter, record, stage)
        progress(name, min(start + size, len(found)), len(found))


def evaluate_signals(run: Path, record: RunRecord, progress: Progress = silent) -> dict[str, Any]:
    """`evaluate` of such a run: every figure from stored bytes, at all cells of the grid."""
    collection, scores = open_collection(run), {}
    for folder in record.data:
        check_at_hand(run, folder)
        found = read_signals(folder, record.settings)
        ids = [name for name in found.ids if name in collection and name not in scores]
        data = _of(found, ids, record)
        for name, score in zip(ids, _scores(collection, ids, data), strict=True):
            scores[name] = score
        progress("instances", len(scores), len(collection))
    if not scores:
        raise RunError(f"{run}: its instances are not there any more: {', '.join(record.data)}")
    stages = {}
    for stage in (1, 2):
        of_stage = [s for name, s in scores.items() if int(collection.entry(name).metrics.get("stage", 1)) == stage]
        if of_stage:
            stages[f"stage{stage}"] = {"objects": len(of_stage), **_mean(of_stage)}
    notes = [f"stage {number} ({'seen' if number == '1' else 'unseen'}): {values}" for number, values in _lines(stages)]
    return {"mean": _mean(list(scores.values())), "objects": scores, "stages": stages, "level": None, "notes": notes}


def store_instances(collection: Collection, fitter: SignalFitter, record: RunRecord, stage: int) -> None:
    """Append instances as one wave; figures are measured on what their bytes decode to."""
    layers = collection.codec.encode(fitter.codes_of(range(len(fitter.data))).to("cpu"))
    latents = collection.codec.decode(layers).tensors["latent"]
    scores = _scored(collection, latents, fitter.data)
    records = [
        ObjectRecord(item.id, own, item.label, item.group, metrics={**score, "stage": float(stage)})
        for item, own, score in zip(fitter.data.objects, layers, scores, strict=True)
    ]
    append_sound(collection, records, record)


def meta_learned(record: RunRecord) -> bool:
    """Whether codes come from a few steps from anew; else they learn in a stage as those of scenes do."""
    return isinstance(record.settings, InstanceSettings) and record.settings.meta


def wave_of(record: RunRecord) -> int:
    """Instances that stage 2 fits side by side."""
    return record.settings.wave or 256


def phases_of_wave(record: RunRecord, count: int) -> list[Phase]:
    """What stage 2 does with a wave: nothing where a few steps from anew are all there is."""
    if meta_learned(record) and not (isinstance(record.settings, InstanceSettings) and record.settings.refine):
        return []
    phases = [replace(phase, objects_per_step=min(count, phase.objects_per_step)) for phase in record.settings.stage2]
    return [phase.planned(count, count) for phase in phases]


def picked_by_id(found: SignalSet, ids: Sequence[str]) -> SignalSet:
    """Those of these names, in their order."""
    row_of = {name: row for row, name in enumerate(found.ids)}
    return picked(found, [row_of[name] for name in ids])


def _of(found: SignalSet, ids: Sequence[str], record: RunRecord) -> SignalData:
    return SignalData(picked_by_id(found, ids), device(record.settings))


def _train(
    run: Path, record: RunRecord, fitter: SignalFitter, phases: Sequence[Phase], name: str, progress: Progress
) -> None:
    checkpoint = run / "checkpoints" / f"{name.replace(' ', '-')}.safetensors"
    trainer = StageTrainer(name, fitter, phases, checkpoint, record.settings.checkpoint_seconds, progress)
    trainer.run()
    note_stage(record, run, name, trainer)


def _scale(record: RunRecord, found: SignalSet, minutes: float, progress: Progress) -> None:
    """Scale the steps of stage 1 to a time, less what vectors alone take afterwards. Is that more than half of it, they
    get fewer steps, too."""
    progress("pilot", 0, 2)
    data, seconds = _of(found, record.stage1, record), 60 * minutes * SHARE_FOR_FITTING

    def fitter(data: SignalData, average: bool = False) -> SignalFitter:
        return new_fitter(record.settings, new_shared(record.settings, []), data, average)

    learning = _seconds_of(lambda: fitter(data), record.phases1)
    progress("pilot", 1, 2)
    assert isinstance(record.settings, InstanceSettings)
    later = record.stage2 + (record.stage1 if record.settings.refine else [])
    wave = _of(found, later[: wave_of(record)], record) if later else None
    adapting = 0.0
    if wave is not None and (phases := phases_of_wave(record, len(wave))):
        adapting = _seconds_of(lambda: fitter(wave, True).keeping(), phases) * len(later) / len(wave)
    if adapting > MOST_FOR_VECTORS * seconds:
        share = MOST_FOR_VECTORS * seconds / adapting
        shorter = tuple(phase.shortened(share) for phase in record.settings.stage2)
        record.settings, adapting = replace(record.settings, stage2=shorter), share * adapting
        if record.phases2:
            record.phases2 = phases_of_wave(record, min(len(record.stage2), wave_of(record)))
    factor = (seconds - adapting) / learning
    record.phases1 = [phase.planned(len(data), len(data), factor) for phase in record.phases1]
    progress("pilot", 2, 2)


def _seconds_of(make: Callable[[], SignalFitter], phases: Sequence[Phase]) -> float:
    times = seconds_per_step(make, phases)
    return sum(time * phase.steps for time, phase in zip(times, phases, strict=True))


def _scores(collection: Collection, ids: Sequence[str], data: SignalData) -> list[dict[str, float]]:
    layers = [collection.layers(name) for name in ids]
    return _scored(collection, collection.codec.decode(layers).tensors["latent"], data) if ids else []


def _scored(collection: Collection, latents: torch.Tensor, data: SignalData) -> list[dict[str, float]]:
    family = collection.shared_part.family.to(data.device)
    return instance_scores(family, latents.to(data.device), data)


def _mean(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(score[name] for score in scores) / len(scores) for name in scores[0]}


def _lines(stages: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (stage[-1], ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        for stage, values in stages.items()
    ]
