"""`compress`: a run's objects in fewer bytes, as a new collection; the run itself stays as it is."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.collection.objects import VQ_MICRO
from manyfields.compression import VqMicroCodec
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.runs.loading import load_objects
from manyfields.runs.lock import only_process
from manyfields.runs.measuring import measure_codes
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.storing import distilled
from manyfields.runs.trainer import Progress, silent
from manyfields.views import ObjectViews, read_views, usable_views

CODECS = ("vq",)
BITS = (6,)
STEPS = 300
OBJECTS_AT_ONCE = 32  # stored as one wave: what a crash loses at most
LEARN_FROM = 256  # objects that codebooks are learned from, at most


def compress(
    run: Path | str,
    out: Path | str,
    *,
    codec: str = "vq",
    bits: Sequence[int] = BITS,
    groups: int | None = None,
    steps: int = STEPS,
    seed: int = 0,
    report: bool = True,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> Collection:
    """Write the objects of a run to the new collection `out`, their micro planes by codebooks that all of them share.

    `bits`: of the codebooks of each stage (more stages: each stores what the ones before left). `groups`: how many
    parts of the features have codebooks of their own; one for every two features when None. `steps`: how long each
    object's indices are fitted to its training views; 0 takes the nearest entries. Without views that are at hand
    there is no fitting and nothing is measured, which `say` tells; `run` may then be any collection. Interrupted, the
    same call goes on. What `evaluate`, `add` and the report need of a run is in `out`, too. Raises RunError where
    `out` holds something else, or the run is compressed already; ConfigError for a family without micro planes, or
    codebooks that do not fit it.
    """
    source, folder = open_collection(run), Path(out)
    record = _record(Path(run))
    shape = _settings(source, codec, bits, groups, steps, seed)
    if folder.resolve() == Path(run).resolve():
        raise RunError(f"{folder}: compressing writes a new collection; give another folder than that of the run")
    views = {} if record is None else _views(source, record, say)
    if shape["steps"] and not views:
        say("no fitting to views: their folder is not at hand, or the collection is not in a run folder")
        shape["steps"] = 0
    elif shape["steps"] and source.shared_part.autoencoder is not None:
        say("no fitting to views: fields in a latent space take the nearest entries")
        shape["steps"] = 0
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder):
        _check_folder(folder, source, shape)
        began = time.monotonic()
        collection = _Compression(source, record, views, folder, shape, progress).all()
        if record is not None:
            record.seconds["compress"] = record.seconds.get("compress", 0.0) + time.monotonic() - began
            record.save(folder)
            if report:
                from manyfields.runs.reporting import write_run_report

                write_run_report(folder, progress=progress)
    return collection


class _Compression:
    """What every wave needs. The codec is published with the first wave, whose indices its tables are learned from."""

    def __init__(
        self,
        source: Collection,
        record: RunRecord | None,
        views: dict[str, ObjectViews],
        folder: Path,
        shape: dict[str, Any],
        progress: Progress,
    ) -> None:
        self.source = source
        self.record = record
        self.views = views
        self.folder = folder
        self.shape = shape
        self.progress = progress
        self.target = open_collection(folder) if (folder / "collection.json").exists() else None

    def all(self) -> Collection:
        """Compress what is not stored yet."""
        ids = [name for name in self.source.ids if self.target is None or name not in self.target]
        for start in range(0, len(ids), OBJECTS_AT_ONCE):
            self._wave(ids[start : start + OBJECTS_AT_ONCE])
            self.progress("compressing", start + min(OBJECTS_AT_ONCE, len(ids) - start), len(ids))
        assert self.target is not None
        return self.target

    def _wave(self, ids: list[str]) -> None:
        codes = _codes(self.source, ids)
        codec = self._learn() if self.target is None else self.target.codec
        assert isinstance(codec, VqMicroCodec)
        gains = codec.gains(codes)
        if self.shape["steps"]:
            items, record = self._items(ids), self.record
            assert record is not None
            codes = distilled(self.source, codec, items, codes, record, self.shape["steps"], self.progress)
        if self.target is None:
            codec = codec.with_tables_of(codes, gains)
            self.target = self._publish(codec)
        self.target.append(
            [self._stored(name, layers) for name, layers in zip(ids, codec.encode(codes, gains), strict=True)]
        )

    def _learn(self) -> VqMicroCodec:
        ids = self.source.ids
        rows = np.unique(np.linspace(0, len(ids) - 1, min(LEARN_FROM, len(ids))).round().astype(int))
        family = self.source.shared_part.family.config
        codes = _codes(self.source, [ids[row] for row in rows])
        self.progress("learning codebooks", 0, 1)
        shape = self.shape
        codec = VqMicroCodec.learn(
            codes, family.layers, family.code_shapes(), shape["bits"], groups=shape["groups"], seed=shape["seed"]
        )
        self.progress("learning codebooks", 1, 1)
        return codec

    def _publish(self, codec: VqMicroCodec) -> Collection:
        source = self.source
        return create_collection(
            self.folder,
            shared=source.shared(),
            config=source.config,
            encoder=source.encoder(),
            properties={**source.properties, "compressed": self.shape},
            codec=(codec.tensors(), {**codec.config(), "codec": VQ_MICRO}),
        )

    def _items(self, ids: Sequence[str]) -> list[FittingObject]:
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


def _settings(
    source: Collection, codec: str, bits: Sequence[int], groups: int | None, steps: int, seed: int
) -> dict[str, Any]:
    """What the new collection's properties say of its making."""
    if codec not in CODECS:
        raise ConfigError(f"codec {codec!r}: one of {', '.join(CODECS)}")
    if "compressed" in source.properties:
        raise RunError(f"{source.path} is compressed already: compress the run that it was made from")
    if not len(source):
        raise RunError(f"{source.path} holds no objects: there is nothing to compress")
    shape = dict(source.shared_part.family.config.code_shapes()).get("micro")
    if shape is None:
        raise ConfigError(f"{source.path}: its family has no micro planes, which codec 'vq' is for")
    features = shape[-1]
    if groups is None:
        groups = features // 2 if features % 2 == 0 else features
    if groups < 1 or features % groups:
        raise ConfigError(f"groups {groups} does not divide the {features} features of micro planes")
    if not bits or not all(1 <= width <= 12 for width in bits):
        raise ConfigError(f"bits {list(bits)}: one number a stage, from 1 to 12 each")
    if steps < 0:
        raise ConfigError(f"steps {steps}: 0 or more")
    return {"bits": list(bits), "groups": groups, "seed": seed, "steps": steps}


def _check_folder(folder: Path, source: Collection, shape: dict[str, Any]) -> None:
    """Only what the same call has begun may be there."""
    if (folder / "collection.json").exists():
        there = open_collection(folder)
        if there.shared_hash != source.shared_hash or there.properties.get("compressed") != shape:
            raise RunError(f"{folder} holds another collection: choose another folder")
    elif (folder / FILE).exists():
        raise RunError(f"{folder} holds a run: choose another folder")


def _codes(source: Collection, ids: Sequence[str]) -> Codes:
    codes = [source[name].code() for name in ids]
    return Codes.concatenate([code for code in codes if isinstance(code, Codes)])


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
