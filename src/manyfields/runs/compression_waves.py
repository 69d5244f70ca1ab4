"""What every way to compress a run has in common: objects go wave by wave to a new collection, and are measured."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.errors import ViewError
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress
from manyfields.runs.loading import load_objects
from manyfields.runs.measuring import measure_layers
from manyfields.runs.record import RunRecord
from manyfields.views import ObjectViews

OBJECTS_AT_ONCE = 32  # stored as one wave: what a crash loses at most


class Waves(ABC):
    """The objects of `source` on their way to `folder`. `shape`: what the new collection's properties say of it."""

    one_by_one = False
    """Stored each for itself, because an object takes minutes."""

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
        self.measured = self.to_measure = 0  # held-out views
        self.target = open_collection(folder) if (folder / "collection.json").exists() else None

    @abstractmethod
    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        """The layers of some objects; the first call publishes the new collection, if it is not there."""

    def all(self) -> Collection:
        """Compress what is not stored yet."""
        ids = [name for name in self.source.ids if self.target is None or name not in self.target]
        self.to_measure = sum(len(self._held_out(name)) for name in ids if name in self.views)
        at_once = 1 if self.one_by_one else OBJECTS_AT_ONCE
        for start in range(0, len(ids), at_once):
            wave = ids[start : start + at_once]
            layers = self.layers_of(wave)
            assert self.target is not None
            self.target.append([self._stored(name, each) for name, each in zip(wave, layers, strict=True)])
            self.progress("compressing", start + len(wave), len(ids))
        assert self.target is not None
        return self.target

    def publish(
        self,
        codec: tuple[dict[str, torch.Tensor], dict[str, Any]] | None = None,
        encoder: dict[str, torch.Tensor] | None = None,
    ) -> Collection:
        """The new collection, with the tensors and config of a codec.

        `encoder`: what the codec needs for new objects, in the place of the source's encoder of images.
        """
        source = self.source
        shared, config = self.shared_part()
        return create_collection(
            self.folder,
            shared=shared,
            config=config,
            encoder=source.encoder() if encoder is None else encoder,
            properties={**source.properties, "compressed": self.shape},
            codec=codec,
        )

    def shared_part(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and config of the shared file: those of the source."""
        return self.source.shared(), self.source.config

    def codes_of(self, ids: Sequence[str]) -> list[ObjectCodes]:
        """The codes of some objects, one by one (B = 1)."""
        return [self.source[name].code() for name in ids]

    def items(self, ids: Sequence[str]) -> list[FittingObject]:
        """Some objects with the training views that they were fitted to. Raises ViewError where these are gone."""
        record = self.record
        assert record is not None
        items = load_objects([self.views[name] for name in ids if name in self.views], record, self.progress)
        found = {item.id: item for item in items}
        for name in ids:
            if name not in found or found[name].held_out != record.held_out[name]["views"]:
                instead = ", or compress with steps 0, which needs none" if "bits" in self.shape else ""
                raise ViewError(f"object {name} no longer has the views that it was fitted to: restore them{instead}")
        return [found[name] for name in ids]

    def _stored(self, name: str, layers: list[bytes]) -> ObjectRecord:
        entry, views = self.source.entry(name), self.views.get(name)
        assert self.target is not None
        metrics = {}
        if self.record is not None and views is not None:
            test = [views.names.index(view) for view in self._held_out(name)]
            box = torch.as_tensor(entry.bounds)
            metrics = measure_layers(self.target, layers, box, views, test, self.record.size, self._seen)
        if "stage" in entry.metrics:
            metrics["stage"] = entry.metrics["stage"]
        return ObjectRecord(name, layers, entry.label, entry.group, entry.world_to_object, entry.bounds, metrics)

    def _held_out(self, name: str) -> list[str]:
        return [] if self.record is None else self.record.held_out.get(name, {}).get("views", [])

    def _seen(self, views: int) -> None:
        self.measured += views
        self.progress("measuring held-out views", self.measured, self.to_measure)
