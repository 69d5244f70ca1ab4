"""Objects in posed views: fitted to some of their views, measured on the others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from manyfields.cameras import orbit
from manyfields.collection import Collection, ObjectRecord
from manyfields.errors import RunError
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.report import Dataset, ObjectResult
from manyfields.evaluation.scores import mean_scores
from manyfields.families.registry import new_fitter
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingData, FittingObject, image_size
from manyfields.fitting.fitters import StageData, StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings
from manyfields.runs.plan import joint_phases, objects_at_once, waves_of
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.costs import Costs, costs_of
from manyfields.runs.sources.held_out import held_out_views, measure_layers
from manyfields.runs.sources.loading import load_objects, split_views
from manyfields.runs.sources.looks import held_out_probe, spare_views, watch
from manyfields.runs.sources.results import gone_folders, view_results
from manyfields.runs.sources.source import Figures, Found, Probe, Source, StoresWaves, Watch
from manyfields.runs.trainer import Clock
from manyfields.shared_part import SharedPart
from manyfields.views import ObjectViews, read_views, usable_views

VIEWS_DRAWN = 8
"""Around an object, to see how long a picture takes."""


class PosedViews(Source[ObjectViews, FittingObject]):
    """Folders of images with cameras, in any of the forms that `read_views` reads."""

    def find(
        self, folder: Path, settings: FitSettings, objects: Sequence[str], progress: Progress
    ) -> Found[ObjectViews]:
        progress("checking views", 0, 1)
        kept, problems = usable_views(read_views(folder).only(objects))
        progress("checking views", 1, 1)
        return Found(folder, kept.objects, problems)

    def load(self, objects: Sequence[ObjectViews], record: RunRecord, progress: Progress) -> list[FittingObject]:
        return load_objects(objects, record, progress)

    def data(self, objects: Sequence[FittingObject], device: torch.device) -> FittingData:
        return FittingData(list(objects), device)

    def held_out(self, item: ObjectViews, settings: FitSettings) -> dict[str, Any]:
        train, test = split_views(item, settings)
        return {"views": [item.names[index] for index in test], "trained": len(train)}

    def size(self, objects: Sequence[ObjectViews], settings: FitSettings) -> tuple[int, int]:
        return image_size(objects, settings.stride)

    def stage1_objects(self, found: Found[ObjectViews], settings: FitSettings) -> int:
        return settings.stage1_size(len(found.objects))

    def wave(self, settings: FitSettings, objects: Sequence[FittingObject]) -> int:
        return objects_at_once(objects[0], settings.code_shapes(len(objects)))

    def spare(self, record: RunRecord, objects: Sequence[ObjectViews], phases: Sequence[Phase]) -> None:
        spare_views(record, objects, phases)

    def plan(self, record: RunRecord, data: StageData, factor: float = 1.0) -> None:
        settings, waves = record.settings, waves_of(record)
        record.phases1 = [phase.planned(len(data), data.views, factor) for phase in settings.stage1]
        if waves:
            joint = settings.policy == "joint"
            phases = joint_phases(settings.stage2, settings.stage1) if joint else settings.stage2
            views = [record.held_out[name]["trained"] for name in (record.stage1 if joint else []) + waves[0]]
            record.phases2 = [phase.planned(len(views), sum(views), factor) for phase in phases]

    def phases_of_wave(
        self, settings: FitSettings, planned: Sequence[Phase], count: int, share: float, factor: float = 1.0
    ) -> list[Phase]:
        return [phase.planned(count, 0, share) for phase in planned]

    def schedule(self, record: RunRecord) -> list[tuple[str, Phase, int]]:
        first = [(f"stage 1: {phase.name}", phase, 1) for phase in record.phases1]
        waves = len(waves_of(record))
        return first + [(f"stage 2: {phase.name}", phase, waves) for phase in record.phases2 if waves]

    def fill(self, record: RunRecord, data: StageData, seconds: float, times: Sequence[float]) -> None:
        phases = self.schedule(record)
        whole = sum(each * phase.steps * count for each, (_, phase, count) in zip(times, phases, strict=True))
        self.plan(record, data, seconds / whole)

    def costs(self, fitter: Any, record: RunRecord, clock: Clock) -> Costs:
        return costs_of(fitter, record, clock)

    def pictures_of(self, record: RunRecord, ids: Sequence[str]) -> list[int]:
        return [len(record.held_out.get(name, {}).get("views", ())) for name in ids]

    def looks(self, fitter: Any, record: RunRecord) -> tuple[Probe | None, Watch | None]:
        sampler, size = record.settings.final_sampler, record.size
        return held_out_probe(fitter, sampler, size), watch(fitter, sampler, size)

    def wave_fitter(
        self,
        settings: FitSettings,
        shared: SharedPart,
        data: StageData,
        phases: Sequence[Phase],
        kept: ObjectCodes | None = None,
    ) -> StageFitter:
        return new_fitter(settings, shared, data, average=True)

    def store_first(self, run: StoresWaves, collection: Collection, fitter: StageFitter) -> None:
        run.store(collection, fitter, 1)

    def stored(self, item: FittingObject, layers: list[bytes], metrics: Mapping[str, float]) -> ObjectRecord:
        views = item.source
        bounds = item.bounds.double().numpy()
        return ObjectRecord(item.id, layers, views.label, views.group, views.world_to_object, bounds, metrics)

    def measure(
        self,
        collection: Collection,
        objects: Sequence[FittingObject],
        layers: Sequence[list[bytes]],
        record: RunRecord,
        progress: Progress,
    ) -> list[dict[str, float]]:
        # An object is measured whole first, view by view, and then at its coarser levels.
        levels = 1 + len(collection.shared_part.family.config.coarse_levels)
        total, done = levels * sum(len(item.test) for item in objects), 0

        def seen(count: int) -> None:
            nonlocal done
            done += count
            progress("storing and measuring", done, total)

        progress("storing and measuring", 0, total)
        found = []
        for item, own in zip(objects, layers, strict=True):
            found.append(measure_layers(collection, own, item.bounds, item.source, item.test, record.size, seen))
            seen((levels - 1) * len(item.test))
        return found

    def evaluate(
        self, collection: Collection, record: RunRecord, level: int | None, progress: Progress
    ) -> tuple[dict[str, Figures], list[str]]:
        lpips, reason = load_lpips()
        figures = {
            item.entry.id: asdict(mean_scores(held_out.scores(lpips)))
            for item, (held_out,) in held_out_views(collection, record, (level,), progress)
        }
        if not figures:
            raise RunError(f"{collection.path} has no held-out views to measure on: fit it with more views")
        return figures, [f"lpips: {reason}" if reason else "lpips: squeeze"]

    def results(self, collection: Collection, record: RunRecord, progress: Progress) -> Iterator[ObjectResult]:
        return view_results(collection, record, progress)

    def dataset(self, collection: Collection, record: RunRecord) -> Dataset:
        held = record.held_out.values()
        views = sum(item["trained"] + len(item["views"]) + len(item.get("aside", ())) for item in held)
        groups = {collection.entry(name).group or name for name in collection}
        share = f"the {record.settings.held_out:.0%} with the smallest SHA-256 of (seed, object, view)"
        rule = f"the data's own test views, else {share}"
        width, height = record.size
        what = f"{views:,} views of {width}×{height} pixels"
        return Dataset(Path(record.data[0]).name, len(collection), what, rule, len(groups))

    def report_notes(self, collection: Collection, record: RunRecord) -> tuple[str, ...]:
        gone = {*gone_folders(collection, record).values()}
        return (
            "All figures are measured on held-out views, from the bytes stored in the collection.",
            *(f"Views at {folder} are gone: there are no pictures of their objects." for folder in sorted(gone)),
        )

    def no_lpips(self) -> str | None:
        return load_lpips()[1]

    def drawing(self, collection: Collection, name: str, record: RunRecord) -> tuple[Callable[[], object], int]:
        width, height = record.size
        item, cameras = collection[name], orbit(VIEWS_DRAWN, width=width, height=height)
        return lambda: item.render(cameras), VIEWS_DRAWN
