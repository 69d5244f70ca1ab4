"""What rate-distortion sweeps start from: a finished run, its objects with their views, and how they are measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import stored_sampler
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.evaluation.costs import with_share
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingObject
from manyfields.runs.originals import RunObjects
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.held_out import render_held_out
from manyfields.runs.sources.loading import load_objects
from manyfields.runs.sources.moved import check_at_hand, found_again
from manyfields.shared_part import SharedPart
from manyfields.views import ObjectViews, read_views, usable_views


@dataclass
class RdSource:
    """Objects of a finished run: as they are stored there, and the views that they were fitted to."""

    run: Path
    collection: Collection
    record: RunRecord
    objects: list[str]
    views_measured: int | None = None
    """Of each object; None: all that are held out."""
    _views: dict[str, dict[str, ObjectViews]] = field(default_factory=dict, repr=False)

    @staticmethod
    def open(
        run: Path, objects: tuple[str, ...] = (), views: int | None = None, data: Sequence[Path | str] = ()
    ) -> "RdSource":
        """`objects`: ids, all of the run when there are none. `views`: how many of each object's held-out views to
        measure on, evenly spread; all when None. `data`: where views are now, if they have moved since the fit.

        Raises RunError where the run is not finished, ConfigError for objects that it lacks or cannot measure.
        """
        if views is not None and views < 1:
            raise ConfigError(f"views {views}: at least 1")
        collection, record = open_collection(run), RunRecord.load(run)
        if not record.finished:
            raise RunError(f"{run} is not finished: go on with `manyfields fit {record.data[0]} --out {run} --resume`")
        chosen = list(objects) or collection.ids
        for name in chosen:
            if name not in collection:
                raise ConfigError(f"{run} has no object {name!r}: `manyfields info {run}` lists them")
            if not record.held_out.get(name, {}).get("views"):
                raise ConfigError(f"object {name!r} of {run} has no held-out views, so nothing can be measured on it")
        if not chosen:
            raise ConfigError(f"{run} holds no objects: there is nothing to measure")
        record = found_again(run, record, data)
        for place in sorted({record.held_out[name]["source"] for name in chosen}):
            check_at_hand(run, record.data[place])
        return RdSource(run, collection, record, chosen, views)

    def item(self, name: str) -> FittingObject:
        """An object with its training views read. Raises ViewError where they are no longer those of the run."""
        items = load_objects([self.views(name)], self.record)
        if not items or items[0].held_out != self.record.held_out[name]["views"]:
            raise ViewError(f"object {name} no longer has the views that it was fitted to: restore them")
        return items[0]

    def views(self, name: str) -> ObjectViews:
        folder = self.record.data[self.record.held_out[name]["source"]]
        if folder not in self._views:
            self._views[folder] = {item.id: item for item in usable_views(read_views(folder))[0]}
        if name not in self._views[folder]:
            raise ViewError(f"{folder}: object {name} is no longer there or no longer usable")
        return self._views[folder][name]

    def originals(self, others: Sequence[Path | str]) -> RunObjects:
        """All objects of the run as a codec finds them. `others`: runs of other scenes, to learn a codec from."""
        folders = {self.record.held_out[name]["source"] for name in self.objects}
        held_out = self.record.held_out
        seen = [name for name in self.collection if held_out.get(name, {}).get("source") in folders]
        views = {name: self.views(name) for name in seen}
        return RunObjects(self.collection, self.record, views, [RunObjects(open_collection(other)) for other in others])

    def measured_views(self, name: str) -> list[str]:
        """Names of the held-out views that an object is measured on."""
        held = self.record.held_out[name]["views"]
        count = len(held) if self.views_measured is None else min(self.views_measured, len(held))
        return [held[number * len(held) // count] for number in range(count)]

    def scores(self, name: str, shared: SharedPart, codes: ObjectCodes, bounds: Float[Tensor, "2 3"]) -> Scores:
        """Of held-out views of one object, from a shared part and a code (B = 1) that came out of bytes."""
        views = self.views(name)
        held = [views.names.index(view) for view in self.measured_views(name)]
        sampler = stored_sampler(self.collection)
        return mean_scores(render_held_out(shared, sampler, codes, bounds, views, held, self.record.size).scores())

    def uncompressed(self) -> tuple[float, Scores]:
        """Bytes an object, the shared part's share included, and the mean scores of the run as it is stored."""
        sizes = self.collection.sizes()
        own = [self.collection.entry(name).bytes for name in self.objects]
        scores = []
        for name in self.objects:
            item = self.collection[name]
            bounds = torch.as_tensor(item.entry.bounds, dtype=torch.float32)
            scores.append(self.scores(name, self.collection.shared_part, item.code(), bounds))
        whole = with_share(sum(own) / len(own), sizes["shared"] + sizes["codec"], len(self.collection))
        return whole, mean_scores(scores)
