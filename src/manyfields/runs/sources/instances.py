"""Images, and meshes as voxels: every instance is learned whole, and what the shared part can do is seen in the unseen.

stage 1 ──► shared part ──► codes of its instances, wave by wave ──► collection
                      └──► stage 2: codes of those that it has never seen, likewise
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.cameras import orbit
from manyfields.collection import Collection, ObjectRecord
from manyfields.errors import RunError, ViewError
from manyfields.evaluation.instances import instance_scores
from manyfields.evaluation.report import Dataset, ObjectResult
from manyfields.families.registry import new_fitter
from manyfields.fields.codes import Codes, ObjectCodes
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.fitters import StageData, StageFitter
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings, device
from manyfields.rendering.solids import solid_views
from manyfields.runs.pictures import orbit_views
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.costs import Costs
from manyfields.runs.sources.moved import check_at_hand
from manyfields.runs.sources.results import OBJECTS_WITH_PICTURES, Shown, instance_results
from manyfields.runs.sources.source import Figures, Found, Probe, Source, StoresWaves, Watch
from manyfields.runs.trainer import Clock
from manyfields.shared_part import SharedPart
from manyfields.views.instances import Instance, InstanceSet

MOST_AT_ONCE = 256
"""Instances of a wave, where settings do not say."""
MOST_FOR_CODES = 0.5
"""Of the time for steps, which codes alone may take; what they would take beyond that, they get fewer steps."""
POINTS_AT_ONCE = 1 << 17
SHOWN = 128
"""Pixels along a side of a picture in the report, at least."""


@dataclass(frozen=True)
class Instances(Source[Instance, Instance]):
    """A folder of instances."""

    read: Callable[[Path, int], InstanceSet]
    """All of them, with so many cells along each axis of their grid."""
    picture: Callable[[Float[Tensor, "P K"], int], UInt8[np.ndarray, "H W 3"]]
    """Of the values at all cells of such a grid."""
    each: str
    """What one is, in words, of so many cells a `{side}`."""

    def find(self, folder: Path, settings: FitSettings, objects: Sequence[str], progress: Progress) -> Found[Instance]:
        progress("reading instances", 0, 1)
        found = self.read(folder, side_of(settings)).only(objects)
        progress("reading instances", 1, 1)
        return Found(folder, found.instances, found.problems)

    def load(self, objects: Sequence[Instance], record: RunRecord, progress: Progress) -> list[Instance]:
        for item in objects:
            if item.id in record.held_out:
                record.held_out[item.id]["digest"] = hashlib.sha256(item.values.tobytes()).hexdigest()[:16]
        return list(objects)

    def data(self, objects: Sequence[Instance], device: torch.device) -> InstanceData:
        return InstanceData(objects, device)

    def held_out(self, item: Instance, settings: FitSettings) -> dict[str, Any]:
        return {"views": [], "trained": 1}

    def size(self, objects: Sequence[Instance], settings: FitSettings) -> tuple[int, int]:
        return side_of(settings), side_of(settings)

    def stage1_objects(self, found: Found[Instance], settings: FitSettings) -> int:
        if len(found.objects) < 2:
            raise ViewError(f"{found.folder}: holds one instance alone; a mixture needs some that share something")
        return settings.stage1_size(len(found.objects))

    def wave(self, settings: FitSettings, objects: Sequence[Instance]) -> int:
        return MOST_AT_ONCE

    def spare(self, record: RunRecord, objects: Sequence[Instance], phases: Sequence[Phase]) -> None:
        return

    def plan(self, record: RunRecord, data: StageData, factor: float = 1.0) -> None:
        settings = record.settings
        record.phases1 = [phase.planned(len(data), data.views, factor) for phase in settings.stage1]
        first = min(_to_fit(record), settings.wave or MOST_AT_ONCE)
        record.phases2 = self.phases_of_wave(settings, (), first, 1.0) if first else []

    def phases_of_wave(
        self, settings: FitSettings, planned: Sequence[Phase], count: int, share: float, factor: float = 1.0
    ) -> list[Phase]:
        # An epoch is a step of all of a wave, however many these are.
        learns = refines(settings) or not meta_learned(settings)
        return [phase.planned(count, count, factor) for phase in settings.stage2] if learns else []

    def schedule(self, record: RunRecord) -> list[tuple[str, Phase, int]]:
        size = record.settings.wave or MOST_AT_ONCE
        first = [(f"stage 1: {phase.name}", phase, 1) for phase in record.phases1]
        return first + [(f"codes: {phase.name}", phase, -(-_to_fit(record) // size)) for phase in record.phases2]

    def fill(self, record: RunRecord, data: StageData, seconds: float, times: Sequence[float]) -> None:
        """All that codes leave goes to stage 1; where they would take more than half, they get fewer steps, too."""
        settings, count = record.settings, len(record.phases1)
        learning = _seconds(record.phases1, times[:count])
        waves = _to_fit(record) / max(1, min(_to_fit(record), settings.wave or MOST_AT_ONCE))
        codes = waves * _seconds(record.phases2, times[count:])
        if codes > MOST_FOR_CODES * seconds:
            share = MOST_FOR_CODES * seconds / codes
            shorter = tuple(phase.shortened(share) for phase in settings.stage2)
            record.settings, codes = replace(settings, stage2=shorter), share * codes
        self.plan(record, data, (seconds - codes) / learning)

    @torch.no_grad()
    def costs(self, fitter: Any, record: RunRecord, clock: Clock) -> Costs:
        data = InstanceData(fitter.data.objects[:1], fitter.data.device)
        for _ in range(2):  # once to warm up
            began = clock()
            _scored(fitter.shared, fitter.codes_of([0]), data)
            spent = clock() - began
        return Costs(0.0, spent, 0.0, 0.0, levels=1)

    def pictures_of(self, record: RunRecord, ids: Sequence[str]) -> list[int]:
        return [1 for _ in ids]

    def looks(self, fitter: Any, record: RunRecord) -> tuple[Probe | None, Watch | None]:
        return None, None

    def wave_fitter(
        self,
        settings: FitSettings,
        shared: SharedPart,
        data: StageData,
        phases: Sequence[Phase],
        kept: ObjectCodes | None = None,
    ) -> StageFitter:
        fitter: Any = new_fitter(settings, shared, data, average=True)
        if kept is not None:
            assert isinstance(kept, Codes)
            fitter.store = CodeStore(kept)
        return fitter.keeping() if phases else fitter

    def store_first(self, run: StoresWaves, collection: Collection, fitter: StageFitter) -> None:
        """Codes of stage 1 learn on only if the run refines: what meta-learning has seen is adapted as the unseen is,
        and kept codes go on from where they are."""
        settings, objects = run.record.settings, fitter.data.objects
        size = settings.wave or MOST_AT_ONCE
        kept = None if meta_learned(settings) else fitter.codes_of(range(len(objects)))
        for number, start in enumerate(range(0, len(objects), size), 1):
            rows = [row for row in range(start, min(start + size, len(objects))) if objects[row].id not in collection]
            phases = self.phases_of_wave(settings, (), len(rows), 1.0) if rows and refines(settings) else []
            own = None if kept is None else kept[rows]
            run.fit_wave(collection, [objects[row] for row in rows], phases, f"codes 1.{number}", 1, own)

    def stored(self, item: Instance, layers: list[bytes], metrics: Mapping[str, float]) -> ObjectRecord:
        return ObjectRecord(item.id, layers, item.label, item.group, metrics=metrics)

    def measure(
        self,
        collection: Collection,
        objects: Sequence[Instance],
        layers: Sequence[list[bytes]],
        record: RunRecord,
        progress: Progress,
    ) -> list[dict[str, float]]:
        if not objects:
            return []
        data = InstanceData(objects, device(record.settings))
        found = _scored(collection.shared_part, collection.codec.decode(layers), data)
        progress("storing and measuring", len(objects), len(objects))
        return found

    def evaluate(
        self, collection: Collection, record: RunRecord, level: int | None, progress: Progress
    ) -> tuple[dict[str, Figures], list[str]]:
        figures: dict[str, Figures] = {}
        for folder in record.data:
            check_at_hand(collection.path, folder)
        for data, layers in _stored_again(self, record, collection, level, progress):
            scores = _scored(collection.shared_part, collection.codec.decode(layers), data)
            figures |= {item.id: dict(score) for item, score in zip(data.objects, scores, strict=True)}
            progress("instances", len(figures), len(collection))
        if not figures:
            raise RunError(f"{collection.path}: its instances are not there any more: {', '.join(record.data)}")
        gone = [name for name in collection.ids if name not in figures]
        some = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
        return figures, [f"{len(gone):,} instances are no longer there and not measured: {some}"] if gone else []

    def results(self, collection: Collection, record: RunRecord, progress: Progress) -> Iterator[ObjectResult]:
        scores: dict[str, dict[str, float]] = {}
        shown: dict[str, Shown] = {}
        for data, layers in _stored_again(self, _still_there(record), collection, None, progress):
            values = _values(collection.shared_part, collection.codec.decode(layers), data)
            pairs = [pair for found, truth in values for pair in zip(found, truth, strict=True)]
            for item, (found, truth) in zip(data.objects, pairs, strict=True):
                (scores[item.id],) = instance_scores(found[None], truth[None])
                if len(shown) < OBJECTS_WITH_PICTURES:
                    shown[item.id] = (self.picture(truth, data.side), self.picture(found, data.side))
            progress("instances", len(scores), len(collection))
        return instance_results(collection, record, scores, shown)

    def dataset(self, collection: Collection, record: RunRecord) -> Dataset:
        groups = {collection.entry(name).group or name for name in collection}
        rule = "nothing of an instance; stage 2 holds those that the shared part has never seen"
        what = f"each {self.each.format(side=side_of(record.settings))}"
        return Dataset(Path(record.data[0]).name, len(collection), what, rule, len(groups))

    def report_notes(self, collection: Collection, record: RunRecord) -> tuple[str, ...]:
        gone = [folder for folder in record.data if not Path(folder).exists()]
        return (
            "All figures are of whole instances, from the bytes stored in the collection.",
            *(f"{folder} is gone: there are no pictures of its instances." for folder in gone),
        )

    def drawing(self, collection: Collection, name: str, record: RunRecord) -> tuple[Callable[[], object], int]:
        return lambda: orbit_views(collection, name, side_of(record.settings), 1), 1


def image_picture(values: Float[Tensor, "P K"], side: int) -> UInt8[np.ndarray, "H W 3"]:
    """An image, as large as it takes to be seen."""
    pixels = (values.cpu().clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).view(side, side, 3).numpy()
    times = -(-SHOWN // side)
    return pixels.repeat(times, 0).repeat(times, 1)


def voxel_picture(values: Float[Tensor, "P K"], side: int) -> UInt8[np.ndarray, "H W 3"]:
    """Voxels as a solid, from in front and above."""
    camera = orbit(8, elevation=25.0, width=SHOWN, height=SHOWN)[[1]]
    seen = solid_views(values.cpu().view(side, side, side), camera)[0]
    return (seen.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).numpy()


def side_of(settings: Any) -> int:
    """Cells along each axis of the grid."""
    return settings.side


def meta_learned(settings: Any) -> bool:
    """Whether codes come from a few steps from anew; else they learn in a stage as those of scenes do."""
    return settings.meta


def refines(settings: Any) -> bool:
    """Whether codes that stage 1 has found learn on, by the phases of stage 2, before they are stored."""
    return settings.refine


def _to_fit(record: RunRecord) -> int:
    """Instances whose codes are fitted by the phases of stage 2."""
    return len(record.stage2) + (len(record.stage1) if refines(record.settings) else 0)


def _seconds(phases: Sequence[Phase], times: Sequence[float]) -> float:
    return sum(each * phase.steps for each, phase in zip(times, phases, strict=True))


def _still_there(record: RunRecord) -> RunRecord:
    return replace(record, data=[folder for folder in record.data if Path(folder).exists()])


def _stored_again(
    source: Source, record: RunRecord, collection: Collection, level: int | None, progress: Progress
) -> Iterator[tuple[InstanceData, list[list[bytes]]]]:
    """Folder by folder, the stored instances that are still there, with their layers."""
    done: set[str] = set()
    for folder in record.data:
        found = source.find(Path(folder), record.settings, (), progress)
        here = [item for item in found.objects if item.id in collection and item.id not in done]
        done |= {item.id for item in here}
        if here:
            layers = [collection.layers(item.id, level) for item in here]
            yield InstanceData(here, device(record.settings)), layers


@torch.no_grad()
def _values(shared: SharedPart, codes: Any, data: InstanceData) -> Iterator[tuple[Tensor, Tensor]]:
    """What codes give at all cells, and what should be there, for some instances at a time."""
    family = shared.family.to(data.device)
    for rows in torch.arange(len(data), device=data.device).split(max(1, POINTS_AT_ONCE // len(data.points))):
        points, truth = data.whole(rows)
        yield family.values_of(codes[rows].to(data.device), points), truth


def _scored(shared: SharedPart, codes: Any, data: InstanceData) -> list[dict[str, float]]:
    return [score for found, truth in _values(shared, codes, data) for score in instance_scores(found, truth)]
