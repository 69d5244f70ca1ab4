"""`compress`: a run's objects in fewer bytes, as a new collection; the run itself stays as it is."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.compression import Codec
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.fitting.data import FittingObject
from manyfields.runs.compress_transform import TransformWay
from manyfields.runs.compress_vq import BITS, VqWay
from manyfields.runs.loading import load_objects
from manyfields.runs.lock import only_process
from manyfields.runs.measuring import measure_codes
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.trainer import Progress, silent
from manyfields.views import ObjectViews, read_views, usable_views

CODECS = ("vq", "transform")


class Way(Protocol):
    """How objects become fewer bytes: one file a codec."""

    objects_at_once: int
    """Stored as one wave: what a crash loses at most."""
    shape: dict[str, Any]
    """What the new collection's properties say of its making."""

    def prepare(self, source: Collection, has_views: bool, say: Callable[[str], None]) -> None:
        """Adapt to what is at hand. Raises ConfigError where that is too little."""
        ...

    def encoded(self, of: "Compression", ids: list[str], codec: Codec | None) -> tuple[Codec, list[list[bytes]]]:
        """Layers of some objects, and the codec they are in: `codec`, once it is published."""
        ...

    def published(self, codec: Codec) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and config of the codec's file."""
        ...


def compress(
    run: Path | str,
    out: Path | str,
    *,
    codec: str = "vq",
    bits: Sequence[int] = BITS,
    groups: int | None = None,
    size: str = "S",
    price: float | None = None,
    variants: Sequence[str] = (),
    transform: Mapping[str, Any] | None = None,
    steps: int | None = None,
    seed: int = 0,
    report: bool = True,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> Collection:
    """Write the objects of a run to the new collection `out`, in fewer bytes. `run` itself stays as it is.

    "vq": micro planes of fused planes by codebooks that all objects share. `bits`: of the codebooks of each stage (more
    stages: each stores what the ones before left). `groups`: how many parts of the features have codebooks of their
    own; one for every two features when None. `steps` (300): how long each object's indices are fitted to its training
    views; 0 takes the nearest entries. Without views that are at hand there is no fitting and nothing is measured,
    which `say` tells; `run` may then be any collection.

    "transform": tensor planes (VM) by latents, an entropy model and a decoder of each scene. `size`: S, H or L;
    `price`: the lambda of the rate-distortion loss; `variants`: of `compress_transform.VARIANTS`; `transform`: other
    members of TransformSettings to change; `steps`: those of the size when None. It needs the views.

    Interrupted, the same call goes on. What `evaluate`, `add` and the report need of a run is in `out`, too. Raises
    RunError where `out` holds something else, or the run is compressed already; ConfigError for a family that the codec
    is not for, or choices that do not fit it.
    """
    source, folder = open_collection(run), Path(out)
    record = _record(Path(run))
    _check_source(source, codec)
    way: Way
    if codec == "vq":
        way = VqWay(source, bits, groups, steps, seed)
    else:
        way = TransformWay(source, size, price, variants, steps, seed, transform or {})
    if folder.resolve() == Path(run).resolve():
        raise RunError(f"{folder}: compressing writes a new collection; give another folder than that of the run")
    views = {} if record is None else _views(source, record, say)
    way.prepare(source, bool(views), say)
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder):
        _check_folder(folder, source, way.shape)
        began = time.monotonic()
        collection = Compression(source, record, views, folder, way, progress).all()
        if record is not None:
            record.seconds["compress"] = record.seconds.get("compress", 0.0) + time.monotonic() - began
            record.save(folder)
            if report:
                from manyfields.runs.reporting import write_run_report

                write_run_report(folder, progress=progress)
    return collection


class Compression:
    """What every wave needs. The codec is published with the first one."""

    def __init__(
        self,
        source: Collection,
        record: RunRecord | None,
        views: dict[str, ObjectViews],
        folder: Path,
        way: Way,
        progress: Progress,
    ) -> None:
        self.source = source
        self.record = record
        self.views = views
        self.folder = folder
        self.way = way
        self.progress = progress
        self.target = open_collection(folder) if (folder / "collection.json").exists() else None

    def all(self) -> Collection:
        """Compress what is not stored yet."""
        ids = [name for name in self.source.ids if self.target is None or name not in self.target]
        at_once = self.way.objects_at_once
        for start in range(0, len(ids), at_once):
            self._wave(ids[start : start + at_once])
            self.progress("compressing", start + min(at_once, len(ids) - start), len(ids))
        assert self.target is not None
        return self.target

    def _wave(self, ids: list[str]) -> None:
        codec, layers = self.way.encoded(self, ids, None if self.target is None else self.target.codec)
        if self.target is None:
            self.target = self._publish(codec)
        self.target.append([self._stored(name, own) for name, own in zip(ids, layers, strict=True)])

    def _publish(self, codec: Codec) -> Collection:
        source = self.source
        return create_collection(
            self.folder,
            shared=source.shared(),
            config=source.config,
            encoder=source.encoder(),
            properties={**source.properties, "compressed": self.way.shape},
            codec=self.way.published(codec),
        )

    def items(self, ids: Sequence[str]) -> list[FittingObject]:
        """The training views of some objects, as they were fitted. Raises ViewError where these have changed."""
        record = self.record
        assert record is not None
        items = load_objects([self.views[name] for name in ids if name in self.views], record, self.progress)
        found = {item.id: item for item in items}
        for name in ids:
            if name not in found or found[name].held_out != record.held_out[name]["views"]:
                raise ViewError(
                    f"object {name} no longer has the views that it was fitted to: restore them, or compress with "
                    "steps 0, which needs none"
                )
        return [found[name] for name in ids]

    def _stored(self, name: str, layers: list[bytes]) -> ObjectRecord:
        entry, views = self.source.entry(name), self.views.get(name)
        assert self.target is not None
        metrics = {}
        if self.record is not None and views is not None:
            held = self.record.held_out.get(name, {}).get("views", [])
            test = [views.names.index(view) for view in held]
            box = torch.as_tensor(entry.bounds)
            metrics = measure_codes(self.target, self.target.codec.decode([layers]), box, views, test, self.record.size)
        if "stage" in entry.metrics:
            metrics["stage"] = entry.metrics["stage"]
        return ObjectRecord(name, layers, entry.label, entry.group, entry.world_to_object, entry.bounds, metrics)


def _record(run: Path) -> RunRecord | None:
    if not (run / FILE).is_file():
        return None
    record = RunRecord.load(run)
    if not record.finished:
        raise RunError(f"{run} is not finished: go on with `manyfields fit {record.data[0]} --out {run} --resume`")
    return record


def _check_source(source: Collection, codec: str) -> None:
    if codec not in CODECS:
        raise ConfigError(f"codec {codec!r}: one of {', '.join(CODECS)}")
    if "compressed" in source.properties:
        raise RunError(f"{source.path} is compressed already: compress the run that it was made from")
    if not len(source):
        raise RunError(f"{source.path} holds no objects: there is nothing to compress")


def _check_folder(folder: Path, source: Collection, shape: dict[str, Any]) -> None:
    """Only what the same call has begun may be there."""
    if (folder / "collection.json").exists():
        there = open_collection(folder)
        if there.shared_hash != source.shared_hash or there.properties.get("compressed") != shape:
            raise RunError(f"{folder} holds another collection: choose another folder")
    elif (folder / FILE).exists():
        raise RunError(f"{folder} holds a run: choose another folder")


def _views(source: Collection, record: RunRecord, say: Callable[[str], None]) -> dict[str, ObjectViews]:
    """Views of the run's objects by id, as they were fitted; {} where a folder is gone, which `say` tells."""
    found: dict[str, ObjectViews] = {}
    for number, folder in enumerate(record.data):
        try:
            kept, _ = usable_views(read_views(folder))
        except ViewError as error:
            say(f"views are not at hand, so nothing is fitted or measured: {error}")
            return {}
        found |= {item.id: item for item in kept if record.held_out.get(item.id, {}).get("source") == number}
    return {name: found[name] for name in source.ids if name in found}
