"""How every codec gets the objects of a run into a new collection: it learns, is stored, and encodes wave by wave."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.families.codec import Codec, Fitted, name_in_file
from manyfields.fitting.progress import Progress
from manyfields.runs.originals import RunObjects, together
from manyfields.runs.plane_maps import keeping_pictures
from manyfields.runs.sources.held_out import measure_layers

OBJECTS_AT_ONCE = 32  # stored as one wave: what a crash loses at most


class Waves:
    """The objects of a run on their way to `folder`. `plan`: what the new collection's properties say of it."""

    def __init__(
        self, originals: RunObjects, kind: type[Codec[Any]], plan: dict[str, Any], folder: Path, progress: Progress
    ) -> None:
        self.originals, self.kind, self.plan = originals, kind, plan
        self.folder, self.progress = folder, progress
        self.measured = self.to_measure = 0  # held-out views
        self.target = open_collection(folder) if (folder / "collection.json").exists() else None

    def all(self) -> Collection:
        """Compress what is not stored yet."""
        ids = [name for name in self.originals.ids if self.target is None or name not in self.target]
        self.to_measure = sum(len(self._held_out(name)) for name in ids if name in self.originals.views)
        at_once = 1 if self.kind.one_by_one else OBJECTS_AT_ONCE
        for start in range(0, len(ids), at_once):
            wave = ids[start : start + at_once]
            layers = self.layers_of(wave)
            assert self.target is not None
            self.target.append([self._stored(name, each) for name, each in zip(wave, layers, strict=True)])
            self.progress("compressing", start + len(wave), len(ids))
        assert self.target is not None
        return self.target

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        """The layers of some objects; the first call publishes the new collection, if it is not there."""
        if self.target is None:
            codec = self.kind.learn(self.originals, self.plan, self.progress)
            if not codec.tensors() or codec.learns_from_first_wave:
                codec, layers = codec.first_wave(*self._objects(ids, codec), self.progress)
                self.target = self.publish(codec)
                return layers
            self.target = self.publish(codec)
        codec = self.target.codec
        return codec.encode(*self._objects(ids, codec), self.progress)

    def publish(self, codec: Codec[Any]) -> Collection:
        """The new collection, with what the codec has learned."""
        source, name = self.originals.collection, name_in_file(self.kind)
        shared, config = codec.shared_file(source.shared(), source.config)
        encoder = codec.encoder_tensors()
        return create_collection(
            self.folder,
            shared=shared,
            config=config,
            encoder=source.encoder() if encoder is None else encoder,
            properties={**source.properties, "compressed": self.plan},
            codec=None if name is None else (codec.tensors(), {**codec.file_config(), "codec": name}),
        )

    def _objects(self, ids: Sequence[str], codec: Codec[Any]) -> tuple[Any, Fitted | None]:
        """The codes (B) of some objects, and these with their views where the codec looks at them."""
        codes = together(self.originals.codes(ids))
        if not codec.looks_at_views:
            return codes, None
        objects = self.originals.fitted(ids)
        if self.target is not None:
            objects = objects.within(self.target.shared_part)
        return codes, keeping_pictures(self.folder, objects)

    def _stored(self, name: str, layers: list[bytes]) -> ObjectRecord:
        record, views = self.originals.record, self.originals.views.get(name)
        entry = self.originals.collection.entry(name)
        assert self.target is not None
        metrics = {}
        if record is not None and views is not None:
            test = [views.names.index(view) for view in self._held_out(name)]
            box = torch.as_tensor(entry.bounds)
            metrics = measure_layers(self.target, layers, box, views, test, record.size, self._seen)
        if "stage" in entry.metrics:
            metrics["stage"] = entry.metrics["stage"]
        return ObjectRecord(name, layers, entry.label, entry.group, entry.world_to_object, entry.bounds, metrics)

    def _held_out(self, name: str) -> list[str]:
        record = self.originals.record
        return [] if record is None else record.held_out.get(name, {}).get("views", [])

    def _seen(self, views: int) -> None:
        self.measured += views
        self.progress("measuring held-out views", self.measured, self.to_measure)
