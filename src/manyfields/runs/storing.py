"""Codes to bytes in the collection, with the figures measured on what those bytes decode to."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from manyfields.collection import Collection, ObjectRecord
from manyfields.errors import CollectionError, Remark, RunError
from manyfields.families.factor_fields.grids import FactorCodes
from manyfields.families.factor_fields.transform.fitter import FactorTransformFitter
from manyfields.families.factor_fields.transform.scene import CodedFactors
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.codebooks.distil import Distillation, distil
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.latents.fitter import fit_latents
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.families.octree.codebooks.indices import IndexOptions, quantise_levels, stored_indices
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.octree.settings import octrees
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.pyramid.fitter import pyramid_of
from manyfields.families.tensor_planes.pyramid.scene import PyramidScene
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.other_scenes import common_of, learned_of
from manyfields.families.tensor_planes.transform.pictures import save_importance
from manyfields.families.tensor_planes.transform.scene import CodedScene
from manyfields.fields import Codes
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.runs.building import takes_half
from manyfields.runs.measuring import measure_layers
from manyfields.runs.record import RunRecord
from manyfields.shared_part import SharedPart
from manyfields.views import Problem


def store_objects(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: ObjectCodes,
    record: RunRecord,
    stage: int,
    progress: Progress = silent,
) -> None:
    """Append objects as one wave; their held-out PSNR goes into the index. `codes`: (B) in the order of `objects`.

    What cannot be stored is set aside, in the record and by a remark, and keeps no other object out.
    """
    records = []
    # An object is measured whole first, view by view, and then at its coarser levels.
    levels = 1 + len(collection.shared_part.family.config.coarse_levels)
    total, done = levels * sum(len(item.test) for item in objects), 0

    def seen(count: int) -> None:
        nonlocal done
        done += count
        progress("storing and measuring", done, total)

    progress("storing and measuring", 0, total)
    for item, layers in zip(objects, _encoded_soundly(collection, objects, codes, record), strict=True):
        if isinstance(layers, str):
            set_aside(record, item.id, layers)
            continue
        metrics = measure_layers(collection, layers, item.bounds, item.source, item.test, record.size, seen)
        seen((levels - 1) * len(item.test))
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
    append_sound(collection, records, record)


def append_sound(collection: Collection, records: Sequence[ObjectRecord], record: RunRecord) -> None:
    """Append those that the collection takes; the others are set aside, and keep no other one out."""
    sound: dict[str, ObjectRecord] = {}
    for each in records:
        why = "another object has its id" if each.id in sound else collection.refusal(each)
        if why is None:
            sound[each.id] = each
        else:
            set_aside(record, each.id, why)
    collection.append(list(sound.values()))


def set_aside(record: RunRecord, name: str, why: str) -> None:
    """Note, and say, that an object was fitted and is not stored."""
    record.problems.append(asdict(Problem(name, None, "not stored", why, True)))
    warnings.warn(f"set aside: object {name!r} is not stored: {why}", Remark, stacklevel=2)


def _encoded_soundly(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord
) -> list[list[bytes] | str]:
    """The layers of each object, or why it has none: one that has diverged is found by coding each for itself."""
    try:
        return list(_encoded(collection, objects, codes, record))
    except (CollectionError, RunError) as error:
        if len(objects) == 1:
            return [str(error)]
    found: list[list[bytes] | str] = []
    for row, item in enumerate(objects):
        found += _encoded_soundly(collection, [item], codes[row], record)
    return found


def _encoded(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord
) -> list[list[bytes]]:
    """In the codec of the collection; of a compressed one, fitted to their views as the others were."""
    codec = collection.codec
    steps = collection.properties.get("compressed", {}).get("steps", 0)
    if isinstance(codec, VqMicroCodec) and isinstance(codes, Codes) and steps:
        return codec.encode(distilled(collection, codec, objects, codes, record, steps), codec.gains(codes))
    elif isinstance(codec, TransformMicroCodec) and isinstance(codes, Codes):
        return set_coded(collection, objects, codes, record, collection.properties["compressed"])
    elif isinstance(codes, TensorCodes) and "transform" in (shape := collection.properties.get("compressed", {})):
        each_scene = [codes[row] for row in range(len(codes))]
        learned = None if common_of(collection) is None else learned_of(collection)
        scenes = transform_coded(collection, objects, each_scene, record, shape, collection.path, silent, learned)
        return codec.encode(scenes)
    elif isinstance(codes, TensorCodes) and "pyramid" in (shape := collection.properties.get("compressed", {})):
        return codec.encode(
            pyramid_coded(collection, objects, [codes[row] for row in range(len(codes))], record, shape)
        )
    elif isinstance(codes, FactorCodes) and "transform" in (shape := collection.properties.get("compressed", {})):
        each_field = [codes[row] for row in range(len(codes))]
        return codec.encode(factors_coded(collection, objects, each_field, record, shape))
    elif isinstance(codes, OctreeCodes) and (shape := collection.properties.get("compressed")):
        each = [codes[row] for row in range(len(codes))]
        return codec.encode(quantised(collection, objects if steps else None, each, shape, record))
    return codec.encode(codes)


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


def set_coded(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: Codes,
    record: RunRecord,
    shape: dict[str, Any],
    progress: Progress = silent,
) -> list[list[bytes]]:
    """The layers of objects with codes (B), fitted to their training views one by one. `shape`: set, seed."""
    codec, settings = collection.codec, SetSettings(**shape["set"])
    assert isinstance(codec, TransformMicroCodec)
    sampler, encoded = record.settings.sampler.at(1.0), []
    for row, item in enumerate(objects):
        # Latents make good what the bytes before them lose.
        code = codec.with_stored_weights(codes[row].to("cpu"))
        loss = PlaneLoss(collection.shared_part, item, code, sampler, rays=settings.rays, seed=shape["seed"])

        def told(done: int, found: dict[str, float], item: FittingObject = item) -> None:
            progress(f"{item.id}: latents", done, settings.steps, **found)

        encoded += codec.encode(code, [fit_latents(loss, codec, code, settings, told)])
    return encoded


def quantised(
    collection: Collection,
    objects: Sequence[FittingObject] | None,
    codes: Sequence[OctreeCodes],
    shape: dict[str, Any],
    record: RunRecord | None,
    progress: Progress = silent,
) -> QuantisedOctreeCodes:
    """Octrees (each B = 1) with indices in the place of features, fitted to the training views of `objects`.

    `shape`: bits, steps and seed; without objects there are no steps, and each corner has its nearest entry.
    """
    options = IndexOptions(shape["bits"])
    shared = SharedPart(collection.shared_part.family, None)
    made = []
    for row, code in enumerate(codes):
        learner = OctreeCode.of_codes(code)
        if objects is None:
            quantise_levels(learner, 1.0, options, torch.Generator().manual_seed)
            made.append(stored_indices(learner))
        else:
            assert record is not None
            data = FittingData([replace(objects[row])])
            sampler = record.settings.sampler
            fitter = OctreeFitter(shared, data, [learner], sampler, shape["seed"], options)
            rays = record.settings.stage1[0].rays_per_object
            phase = replace(octrees(indices=True, fields_rate=0.0)[1], steps=shape["steps"], rays_per_object=rays)
            fitter.begin(phase)
            fitter.run(phase)
            made.append(stored_indices(fitter.codes[0]))
        progress("fitting indices", row + 1, len(codes))
    return QuantisedOctreeCodes.concatenate(made)


def transform_coded(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: Sequence[TensorCodes],
    record: RunRecord | None,
    shape: dict[str, Any],
    folder: Path,
    progress: Progress = silent,
    learned: LearnedTransform | None = None,
) -> list[CodedScene]:
    """Scenes of tensor fields (each B = 1), coded against the training views of `objects`.

    `shape`: transform, seed, steps. `learned`: a codec that was learned from other scenes, which takes 0 steps as well:
    neither objects nor record then. Pictures of what is important of each go to `folder`.
    """
    settings = TransformSettings(**shape["transform"])
    if learned is not None and not shape["steps"]:
        return [learned.coded(code.grids[0], settings) for code in codes]
    assert record is not None
    settings, scenes = replace(settings, steps=shape["steps"]), []
    sampler = record.settings.sampler.at(1.0)
    for item, code in zip(objects, codes, strict=True):
        half = takes_half(record.settings, torch.device("cpu"))
        fitter = TransformFitter(
            collection.shared_part, item, code.grids[0], sampler, settings, shape["seed"], learned, half
        )

        def tell(step: int, losses: dict[str, float], name: str = item.id) -> None:
            progress(f"coding {name}", step, settings.steps, **losses)

        scenes.append(fitter.run(tell))
        save_importance(folder, item.id, fitter.importance)
    return scenes


def pyramid_coded(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: Sequence[TensorCodes],
    record: RunRecord,
    shape: dict[str, Any],
    progress: Progress = silent,
) -> list[PyramidScene]:
    """Scenes of tensor fields (each B = 1) as pyramids, from training views of `objects`. `shape`: pyramid, seed."""
    settings, scenes = PyramidSettings(**shape["pyramid"]), []
    sampler = record.settings.sampler.at(1.0)
    for row, (item, code) in enumerate(zip(objects, codes, strict=True)):
        progress(f"coding {item.id}", row, len(objects))
        scenes.append(pyramid_of(collection.shared_part, item, code.grids[0], sampler, settings, shape["seed"]))
    return scenes


def factors_coded(
    collection: Collection,
    objects: Sequence[FittingObject],
    codes: Sequence[FactorCodes],
    record: RunRecord,
    shape: dict[str, Any],
    progress: Progress = silent,
) -> list[CodedFactors]:
    """Scenes of factor fields (each B = 1), coded against the training views of `objects`. `shape`: transform, seed."""
    settings, scenes = TransformSettings(**shape["transform"]), []
    sampler = record.settings.sampler.at(1.0)
    half = takes_half(record.settings, torch.device("cpu"))
    for item, code in zip(objects, codes, strict=True):
        fitter = FactorTransformFitter(
            collection.shared_part, item, code.grids[0], sampler, settings, shape["seed"], half=half
        )

        def tell(step: int, losses: dict[str, float], name: str = item.id) -> None:
            progress(f"coding {name}", step, settings.steps, **losses)

        scenes.append(fitter.run(tell))
    return scenes
