"""`compress`: a run's objects in fewer bytes, as a new collection; the run itself stays as it is."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from manyfields._checks import NATURAL, SEED
from manyfields.collection import Collection, open_collection
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.families.factor_fields.field import FactorFamily
from manyfields.families.factor_fields.transform.coding import FactorWaves, factor_shape
from manyfields.families.fused_planes.codebooks.coding import MicroWaves, micro_shape
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.latents.coding import SetWaves, set_settings, set_shape
from manyfields.families.octree.coding import OctreeWaves, octree_shape
from manyfields.families.octree.field import OctreeFamily
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.pyramid.coding import PyramidWaves, pyramid_shape
from manyfields.families.tensor_planes.transform.coding import (
    LearnedTransformWaves,
    TransformWaves,
    learned_shape,
    transform_settings,
    transform_shape,
)
from manyfields.families.tensor_planes.transform.other_scenes import OtherScenes
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.compression_waves import Waves
from manyfields.runs.lock import only_process
from manyfields.runs.moved_views import check_at_hand, found_again
from manyfields.runs.record import FILE, RunRecord
from manyfields.views import ObjectViews, read_views, usable_views

CODECS = ("vq", "transform", "pyramid")
BITS = (6,)
STEPS = 300


def compress(
    run: Path | str,
    out: Path | str,
    *,
    codec: str | None = None,
    bits: Sequence[int] = BITS,
    groups: int | None = None,
    size: str = "S",
    price: float | None = None,
    variants: Sequence[str] = (),
    transform: Mapping[str, Any] | None = None,
    data: Sequence[Path | str] = (),
    learn_from: Sequence[Path | str] = (),
    learn_steps: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    report: bool = True,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> Collection:
    """Write the objects of a run to the new collection `out`, in fewer bytes.

    `codec`: "vq", "transform" or "pyramid"; when None, what is best for the family: "vq" for octrees, for fields in a
    latent space and where views are not at hand, "pyramid" for tensor planes, else "transform".

    "pyramid", for tensor planes (VM): latents in steps that suit what training views are sensitive to, in one pass of
    seconds (`price`: the step; `transform`: other members of PyramidSettings to change).

    "vq": micro planes go by codebooks that all objects share; features of octrees by codebooks of each object's levels.
    `bits`: of the codebooks of each stage (more stages: each stores what the ones before left). `groups`: how many
    parts of the features have codebooks of their own; one for every two features when None. `steps` (300 when None):
    how long each object's indices are fitted to its training views; 0 takes the nearest entries. Without views that are
    at hand there is no fitting and nothing is measured, which `say` tells; `run` may then be any collection.

    "transform": fused planes by latents, with one decoder and one set of tables for all objects (`price`: the lambda,
    what a thousand bytes are worth as a share of an object's error; `transform`: other members of SetSettings to
    change). Tensor planes (VM), or basis grids of factor fields, by latents, an entropy model and a decoder of each
    scene (`size`: S, H or L; `price`: the lambda of the rate-distortion loss; `variants`: of
    `compress_transform.VARIANTS`; `transform`: other members of TransformSettings). All are learned from views;
    `steps`: of each object, those of the settings when None.

    `learn_from`, for tensor planes: runs of other scenes, from whose planes one codec for all scenes is learned in
    `learn_steps` (those of the size when None), or a collection that holds such a codec, which is taken as it is. A
    scene is then coded by its encoder alone, for which no views are needed, or its latents go on learning in `steps`.

    `data`: where the folders of views are now, if they have moved since the fit.

    Interrupted, the same call goes on. What `evaluate`, `add` and the report need of a run is in `out`, too. Raises
    RunError where `out` holds something else, or the run is compressed already; ConfigError for a family that the codec
    is not for, or choices that do not fit it.
    """
    for name, number in (("lambda", price), ("steps", steps), ("learn_steps", learn_steps)):
        NATURAL.check(name, number)
    SEED.check("seed", seed)
    source, folder = open_collection(run), Path(out)
    record = _record(Path(run))
    if record is not None:
        record = found_again(Path(run), record, data)
    _check_source(source, codec)
    others = OtherScenes(source, tuple(Path(other) for other in learn_from)) if learn_from else None
    if folder.resolve() == Path(run).resolve():
        raise RunError(f"{folder}: compressing writes a new collection; give another folder than that of the run")
    views = {} if record is None else _views(source, record, say)
    codec = codec or ("transform" if others or variants or size != "S" else _usual_codec(source, bool(views)))
    if others is not None and codec != "transform":
        raise ConfigError(f"learn_from: for codec 'transform', not {codec!r}")
    if codec == "pyramid":
        if not views:
            raise ConfigError(
                f"{source.path}: codec 'pyramid' looks at the views that scenes were fitted to: restore them"
            )
        shape = pyramid_shape(source, price, transform or {}, seed)
    elif codec == "transform":
        if others is None:
            shape = _transform_shape(source, size, price, variants, transform or {}, steps, seed)
        else:
            settings = transform_settings(size, price, variants, learn_steps, transform or {})
            shape = learned_shape(source, settings, steps or 0, seed, others)
        if shape["steps"] and not views:
            raise ConfigError(
                f"{source.path}: codec 'transform' learns from the views that objects were fitted to, which are not at "
                "hand: restore them, and give the run's folder"
            )
    else:
        shape = _codebook_shape(source, bits, groups, STEPS if steps is None else steps, seed)
        if shape["steps"] and not views:
            say("no fitting to views: their folder is not at hand, or the collection is not in a run folder")
            shape["steps"] = 0
        elif shape["steps"] and source.shared_part.autoencoder is not None:
            say("no fitting to views: fields in a latent space take the nearest entries")
            shape["steps"] = 0
    shape["of"] = source.shared_hash
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder):
        _check_folder(folder, shape)
        before = RunRecord.load(folder).seconds if (folder / FILE).exists() else {}
        began = time.monotonic()
        waves = _waves(source, codec) if others is None else partial(LearnedTransformWaves, others)
        collection = waves(source, record, views, folder, shape, progress).all()
        if record is not None:
            record.seconds["compress"] = before.get("compress", 0.0) + time.monotonic() - began
            record.save(folder)
            if report:
                from manyfields.runs.reporting import write_run_report

                write_run_report(folder, progress=progress)
    return collection


def _record(run: Path) -> RunRecord | None:
    if not (run / FILE).is_file():
        return None
    record = RunRecord.load(run)
    if not record.finished:
        raise RunError(f"{run} is not finished: go on with `manyfields fit {record.data[0]} --out {run} --resume`")
    return record


def _check_source(source: Collection, codec: str | None) -> None:
    if codec is not None and codec not in CODECS:
        raise ConfigError(f"codec {codec!r}: one of {', '.join(CODECS)}")
    if "compressed" in source.properties:
        raise RunError(f"{source.path} is compressed already: compress the run that it was made from")
    if not len(source):
        raise RunError(f"{source.path} holds no objects: there is nothing to compress")


def _codebook_shape(
    source: Collection, bits: Sequence[int], groups: int | None, steps: int, seed: int
) -> dict[str, Any]:
    """What the new collection's properties say of its making."""
    if steps < 0:
        raise ConfigError(f"steps {steps}: 0 or more")
    if isinstance(source.shared_part.family, TensorFamily | FactorFamily):
        raise ConfigError(f"{source.path}: its family has no micro planes, which codec 'vq' is for; take 'transform'")
    shape = octree_shape if _is_octree(source) else micro_shape
    return shape(source, bits, groups, steps, seed)


def _usual_codec(source: Collection, views: bool) -> str:
    if isinstance(source.shared_part.family, TensorFamily):
        return "pyramid"
    if _is_factor(source):
        return "transform"
    return "vq" if _is_octree(source) or not views or source.shared_part.autoencoder is not None else "transform"


def _transform_shape(
    source: Collection,
    size: str,
    price: float | None,
    variants: Sequence[str],
    changes: Mapping[str, Any],
    steps: int | None,
    seed: int,
) -> dict[str, Any]:
    if _is_factor(source):
        return factor_shape(transform_settings(size, price, variants, steps, changes), seed)
    if not isinstance(source.shared_part.family, FusedPlanes):
        return transform_shape(source, transform_settings(size, price, variants, steps, changes), seed)
    if variants or size != "S":
        raise ConfigError(f"{source.path}: sizes and variants are for tensor planes; fused planes share one decoder")
    return set_shape(source, set_settings(price, steps, changes), seed)


def _waves(source: Collection, codec: str) -> Callable[..., Waves]:
    if codec == "pyramid":
        return PyramidWaves
    if codec == "transform":
        if _is_factor(source):
            return FactorWaves
        return SetWaves if isinstance(source.shared_part.family, FusedPlanes) else TransformWaves
    return OctreeWaves if _is_octree(source) else MicroWaves


def _is_factor(source: Collection) -> bool:
    return isinstance(source.shared_part.family, FactorFamily)


def _is_octree(source: Collection) -> bool:
    return isinstance(source.shared_part.family, OctreeFamily)


def _check_folder(folder: Path, shape: dict[str, Any]) -> None:
    """Only what the same call has begun may be there."""
    if (folder / "collection.json").exists():
        if open_collection(folder).properties.get("compressed") != shape:
            raise RunError(f"{folder} holds another collection: choose another folder")
    elif (folder / FILE).exists():
        raise RunError(f"{folder} holds a run: choose another folder")


def _views(source: Collection, record: RunRecord, say: Callable[[str], None]) -> dict[str, ObjectViews]:
    """Views of the run's objects by id, as they were fitted; {} where a folder is gone, which `say` tells."""
    found: dict[str, ObjectViews] = {}
    for number, folder in enumerate(record.data):
        try:
            check_at_hand(source.path, folder)
            kept, _ = usable_views(read_views(folder))
        except ViewError as error:
            say(f"views are not at hand, so nothing is fitted or measured: {error}")
            return {}
        found |= {item.id: item for item in kept if record.held_out.get(item.id, {}).get("source") == number}
    return {name: found[name] for name in source.ids if name in found}
