"""What a run writes once a stage is done: the shared part as a collection, and time and curves in its record."""

from pathlib import Path
from typing import Any

from manyfields.collection import Collection, create_collection, open_collection
from manyfields.collection.shared_file import shared_config, shared_tensors
from manyfields.runs.record import RunRecord
from manyfields.runs.trainer import StageTrainer
from manyfields.shared_part import SharedPart


def publish(run: Path, record: RunRecord, shared: SharedPart) -> Collection:
    """The collection of a run: the one that is there, or a new one with this shared part."""
    if (run / "collection.json").exists():
        return open_collection(run)
    tensors, encoder = shared_tensors(shared)
    properties = {
        "preset": record.settings.preset,
        "policy": record.settings.policy,
        "stage1_objects": len(record.readable(record.stage1)),
        "seed": record.settings.seed,
        "width": record.size[0],
        "height": record.size[1],
    }
    config = shared_config(shared, record.settings.final_sampler)
    return create_collection(run, shared=tensors, config=config, encoder=encoder, properties=properties)


def note_stage(record: RunRecord, run: Path, name: str, trainer: StageTrainer) -> None:
    """Remember what a stage took, and its curves."""
    record.seconds[name] = sum(trainer.seconds.values())
    for phase, seconds in trainer.seconds.items():
        record.seconds[f"{name}/{phase}"] = seconds
    curves: dict[str, list[dict[str, Any]]] = {}
    for point in record.curves:
        curves.setdefault(point["stage"], []).append(point)
    curves[trainer.name] = trainer.curves
    record.curves = [point for points in curves.values() for point in points]
    record.save(run)
