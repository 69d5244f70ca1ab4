"""The objects of a run on their way to a codec, read from its folder as they are asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from manyfields.collection import Collection
from manyfields.errors import ViewError
from manyfields.families.codec import Codec, Fitted
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import takes_half
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.loading import load_objects
from manyfields.shared_part import SharedPart
from manyfields.views import ObjectViews


def fitted_objects(shared: SharedPart, objects: Sequence[FittingObject], record: RunRecord) -> Fitted:
    """Objects as a codec may fit to them, as the run did."""
    settings = record.settings
    phase = record.phases1[0] if record.phases1 else settings.stage1[0]
    return Fitted(objects, shared, settings.sampler, phase, settings.seed, takes_half(settings, torch.device("cpu")))


class RunObjects:
    """The `families.codec.Originals` of a collection; with record and views (by id) where it is that of a run."""

    def __init__(
        self,
        collection: Collection,
        record: RunRecord | None = None,
        views: dict[str, ObjectViews] | None = None,
        others: Sequence["RunObjects"] = (),
        progress: Progress = silent,
    ) -> None:
        self.collection, self.record, self.views = collection, record, views or {}
        self.others, self.progress = tuple(others), progress
        self.instead = ""
        """What errors add that say that views are not at hand."""

    @property
    def path(self) -> Path:
        return self.collection.path

    @property
    def shared(self) -> SharedPart:
        return self.collection.shared_part

    @property
    def shared_hash(self) -> str:
        return self.collection.shared_hash

    @property
    def ids(self) -> list[str]:
        return self.collection.ids

    @property
    def codec(self) -> Codec[Any]:
        return self.collection.codec

    @property
    def with_views(self) -> bool:
        return bool(self.views)

    def codes(self, ids: Sequence[str]) -> list[ObjectCodes]:
        """The codes of some objects, one by one (B = 1)."""
        return [self.collection[name].code() for name in ids]

    def fitted(self, ids: Sequence[str]) -> Fitted:
        """Some objects with the training views that they were fitted to. Raises ViewError where these are gone."""
        record = self.record
        assert record is not None
        items = load_objects([self.views[name] for name in ids if name in self.views], record, self.progress)
        found = {item.id: item for item in items}
        for name in ids:
            if name not in found or found[name].held_out != record.held_out[name]["views"]:
                raise ViewError(
                    f"object {name} no longer has the views that it was fitted to: restore them{self.instead}"
                )
        return fitted_objects(self.shared, [found[name] for name in ids], record)


def together(codes: Sequence[Any]) -> Any:
    """Codes (each B = 1) as those of one batch."""
    return type(codes[0]).concatenate(codes)
