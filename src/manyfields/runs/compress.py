"""`compress`: a run's objects in fewer bytes, as a new collection; the run itself stays as it is."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manyfields._checks import SEED
from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.families.codec import Codec
from manyfields.families.registry import family_of
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.codec_choice import codec_named, settings_of
from manyfields.runs.compression_waves import Waves
from manyfields.runs.originals import RunObjects
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.sources.moved import check_at_hand, found_again
from manyfields.views import ObjectViews, read_views, usable_views


def compress(
    run: Path | str,
    out: Path | str,
    *,
    codec: str | None = None,
    data: Sequence[Path | str] = (),
    seed: int = 0,
    report: bool = True,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
    **settings: Any,
) -> Collection:
    """Write the objects of a run to the new collection `out`, in fewer bytes.

    `codec`: one of the run's family (`families.registry.family_of`); when None, what is best for it: "vq" for
    octrees, for fields in a latent space and where views are not at hand, "pyramid" for tensor planes, else
    "transform". `settings`: those of the codec, the members of its dataclass `settings`:

    - "transform" of fused planes: `SetSettings`; one decoder and one set of tables for all objects.
    - "vq" of fused planes: `CodebookSettings`; codebooks that all objects share. Of octrees: `IndexSettings`; codebooks
      of each object's levels. Without views that are at hand there is no fitting and nothing is measured, which `say`
      tells; `run` may then be any collection.
    - "pyramid" of tensor planes (VM): `PyramidSettings`; one pass of seconds.
    - "transform" of tensor planes (VM): `PlaneChoices`; of factor fields: `BasisChoices`. Latents, an entropy model and
      a decoder of each scene. `learn_from`, for tensor planes: runs of other scenes, from whose planes one codec for
      all scenes is learned in `learn_steps`, or a collection that holds such a codec, which is taken as it is. A scene
      is then coded by its encoder alone, for which no views are needed, or its latents go on learning in `steps`.

    `data`: where the folders of views are now, if they have moved since the fit.

    Interrupted, the same call goes on. What `evaluate`, `add` and the report need of a run is in `out`, too. Raises
    RunError where `out` holds something else, or the run is compressed already; ConfigError for a family that the codec
    is not for, or settings that do not fit it.

    >>> small = compress("runs/vehicles", "runs/small", codec="vq", bits=(2,), steps=0, report=False)
    >>> sorted(small), small.codec.name
    (['car', 'truck', 'van'], 'vq')
    """
    SEED.check("seed", seed)
    source, folder = open_collection(run), Path(out)
    record = _record(Path(run))
    if record is not None:
        record = found_again(Path(run), record, data)
    kind = None if codec is None else codec_named(source, codec)
    if "compressed" in source.properties:
        raise RunError(f"{source.path} is compressed already: compress the run that it was made from")
    if not len(source):
        raise RunError(f"{source.path} holds no objects: there is nothing to compress")
    if folder.resolve() == Path(run).resolve():
        raise RunError(f"{folder}: compressing writes a new collection; give another folder than that of the run")
    others = [RunObjects(open_collection(other)) for other in settings.get("learn_from", ())]
    views = {} if record is None else _views(source, record, say)
    originals = RunObjects(source, record, views, others, progress)
    kind = kind or _usual(originals)
    originals.instead = kind.without_views
    plan = kind.plan(settings_of(kind, source, settings), originals, seed, say)
    plan["of"] = source.shared_hash
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder):
        _check_folder(folder, plan)
        before = RunRecord.load(folder) if (folder / FILE).exists() else record
        if record is not None and before is not None:
            record.processes = before.processes
            record.trained_here()
        began = time.monotonic()
        collection = Waves(originals, kind, plan, folder, progress).all()
        if record is not None:
            spent = before.seconds.get("compress", 0.0) if before is not None else 0.0
            record.seconds["compress"] = spent + time.monotonic() - began
            record.save(folder)
            if report:
                from manyfields.runs.reporting import write_run_report

                write_run_report(folder, progress=progress)
    return collection


def size_breakdown(collection: Collection) -> dict[str, float]:
    """Mean bytes of an object by part, as in table 3 of Neural NeRF Compression.

    "network" is the shared part, divided by the objects, and so is "codec" where the codec has learned something.

    >>> sizes = size_breakdown(open_collection("runs/vehicles"))
    >>> sizes["network"] > 0
    True
    """
    total: dict[str, float] = {}
    for name in collection.ids:
        for part, size in collection.codec.part_sizes(collection.layers(name)).items():
            total[part] = total.get(part, 0.0) + size / len(collection)
    if collection.codec.tensors():
        total["codec"] = collection.sizes()["codec"] / len(collection)
    return {**total, "network": collection.sizes()["shared"] / len(collection)}


def _record(run: Path) -> RunRecord | None:
    if not (run / FILE).is_file():
        return None
    record = RunRecord.load(run)
    if not record.finished:
        raise RunError(f"{run} is not finished: go on with `manyfields fit {record.data[0]} --out {run} --resume`")
    return record


def _usual(originals: RunObjects) -> type[Codec[Any]]:
    """The first codec of the family that suits what is at hand."""
    for kind in family_of(originals.shared).codecs[1:]:
        if kind.collections and kind.suits(originals):
            return kind
    raise ConfigError(f"{originals.path}: codes of its family are a few numbers, which no codec makes fewer")


def _check_folder(folder: Path, plan: dict[str, Any]) -> None:
    """Only what the same call has begun may be there."""
    if (folder / "collection.json").exists():
        if open_collection(folder).properties.get("compressed") != plan:
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
