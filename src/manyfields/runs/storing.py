"""Codes to bytes in the collection, with the figures measured on what those bytes decode to."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyfields.collection import Collection, ObjectRecord
from manyfields.compression import CodedScene, TransformCodec, VqMicroCodec
from manyfields.fields import Codes, ObjectCodes, TensorCodes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.transform_fitter import TransformFitter
from manyfields.fitting.transform_settings import TransformSettings
from manyfields.fitting.vq_distil import Distillation, distil
from manyfields.runs.measuring import measure_codes
from manyfields.runs.record import RunRecord
from manyfields.runs.trainer import Progress, silent


def store_objects(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord, stage: int
) -> None:
    """Append objects as one wave; their held-out PSNR goes into the index. `codes`: (B) in the order of `objects`.

    A compressed collection gets them in its own codec, fitted to their views as the others were.
    """
    codec, made = collection.codec, collection.properties.get("compressed", {})
    steps = made.get("steps", 0)
    if isinstance(codec, TransformCodec):
        encoded = codec.encode(transform_coded(collection, objects, codes, record, made))
    elif isinstance(codec, VqMicroCodec) and isinstance(codes, Codes) and steps:
        encoded = codec.encode(distilled(collection, codec, objects, codes, record, steps), codec.gains(codes))
    else:
        encoded = codec.encode(codes)
    records = []
    for item, layers in zip(objects, encoded, strict=True):
        metrics = measure_codes(collection, codec.decode([layers]), item.bounds, item.source, item.test, record.size)
        trained_in = 1 if item.id in record.stage1 else stage
        records.append(
            ObjectRecord(
                id=item.id,
                layers=layers,
                label=item.source.label,
                group=item.source.group,
                world_to_object=item.source.world_to_object,
                bounds=item.bounds.double().numpy(),
                metrics={**metrics, "stage": float(trained_in)},
            )
        )
    collection.append(records)


def distilled(
    collection: Collection,
    codec: VqMicroCodec,
    objects: Sequence[FittingObject],
    codes: Codes,
    record: RunRecord,
    steps: int,
    progress: Progress = silent,
) -> Codes:
    """The codes (B) with micro planes that `codec` holds, fitted to the training views of `objects` one by one."""
    made, codes = [], codes.to("cpu")
    settings = Distillation(steps=steps)
    for row, item in enumerate(objects):
        sampler = record.settings.sampler.at(1.0)
        seed = record.settings.seed
        made.append(distil(collection.shared_part, codec, item, codes[row], sampler, settings, seed=seed))
        progress("fitting indices", row + 1, len(objects))
    return Codes.concatenate(made)


def transform_coded(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: Sequence[ObjectCodes] | ObjectCodes,
    record: RunRecord,
    made: Mapping[str, Any],
    progress: Progress = silent,
) -> list[CodedScene]:
    """Scenes of tensor fields, coded against their views one by one. `made`: what the collection says of its making."""
    settings, scenes = TransformSettings(**made["transform"]), []
    sampler = record.settings.sampler.at(1.0)
    for row, item in enumerate(objects):
        own = codes[row]
        assert isinstance(own, TensorCodes)
        fitter = TransformFitter(collection.shared_part, item, own.grids[0], sampler, settings, made["seed"])

        def tell(step: int, losses: dict[str, float], name: str = item.id) -> None:
            progress(f"coding {name}", step, settings.steps, **losses)

        scenes.append(fitter.run(tell))
    return scenes
