"""What the parts of this benchmark share: vehicles, runs to render and to fit against, and rows."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.places import MODELS
from benchmarks.split import designs, links_to
from manyfields import runs
from manyfields.evaluation.origin import Origin
from manyfields.evaluation.record import Record, new_record
from manyfields.fitting.data import FittingObject, load_object
from manyfields.runs import RunRecord
from manyfields.views import read_views
from manyfields.views.inventory import make_inventory
from manyfields.views.mesh_sources import find_meshes
from manyfields.views.render_set import render_set

FIRST, NEW = 8, 16  # designs that make the shared part, and those that there are beside them
VIEWS, SIZE = 160, 128


@dataclass(frozen=True)
class Bench:
    """Where a benchmark works, with how many threads, and for how long it fits."""

    work: Path
    threads: int = 2
    minutes: float = 0.5

    @property
    def real(self) -> bool:
        """Whether the vehicles of ../shared are at hand; procedural ones stand in for them where they are not."""
        return (MODELS / "vehicles" / "manifest.json").is_file()

    @property
    def prefix(self) -> str:
        return "cpu" if self.real else "inventory"

    @property
    def views_at(self) -> Path:
        """Where its views are: those of vehicles lie where `sets.quality` has them too."""
        return self.work / ("vehicles_128" if self.real else "inventory_128")

    def row(self, name: str, value: float | None, unit: str, note: str, trained: Sequence[Origin] = ()) -> Record:
        text = f"{note}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return new_record(f"{self.prefix}.{name}", value, unit, text, trained=trained)

    @property
    def first(self) -> list[str]:
        """Objects that the shared part is made from, of different designs."""
        if self.real:
            return designs("vehicles", "learn")[:FIRST]
        return self._inventory[:FIRST]

    @property
    def new(self) -> list[str]:
        """Objects of designs that the shared part has not seen, and on which nothing was tuned."""
        if self.real:
            return designs("vehicles", "report")[:NEW]
        return self._inventory[FIRST : FIRST + NEW]

    @property
    def _inventory(self) -> list[str]:
        return sorted(path.parent.name for path in self.views_at.glob("*/transforms.json"))

    def views(self) -> None:
        """Render the vehicles, where that is not done."""
        if not self.real:
            if len(self._inventory) < FIRST + NEW:
                make_inventory(self.work / "meshes", "vehicle", FIRST + NEW)
                render_set(self.work / "meshes", self.views_at, views=VIEWS, size=SIZE, depth=False)
            return
        render_vehicles(self.views_at, [*self.first, *self.new])

    def shared_run(self) -> Path:
        """A finished run of the default preset on the first objects: its shared part is what stage 2 fits against."""
        return _fitted(self, "speed-first", tuple(self.first), 2 * self.minutes, "fused-planes")

    def triplanes_run(self) -> Path:
        """A finished run of Tri-Planes in RGB, to render."""
        return _fitted(self, "speed-triplanes", tuple(self.first[:2]), self.minutes, "tri-planes")

    def folder(self, name: str, ids: Sequence[str]) -> Path:
        """A set of some of its objects."""
        return links_to(self.views_at, self.work / name, list(ids))

    def objects(
        self, ids: list[str], record: RunRecord, size: int = SIZE, views: int | None = None
    ) -> list[FittingObject]:
        """Objects with their training views read, as a run would."""
        found = read_views(self.views_at)
        settings = record.settings
        sources = [found[name] if views is None else found[name].subset(range(views)) for name in ids]
        return [load_object(each, (size, size), seed=settings.seed, hull=settings.hull) for each in sources]


@cache
def _fitted(bench: Bench, name: str, ids: tuple[str, ...], minutes: float, preset: str) -> Path:
    """A run that this process fits, once: rows of one call come from one state of the code."""
    run = bench.work / f"{name}-run"
    shutil.rmtree(run, ignore_errors=True)
    runs.fit(bench.folder(name, ids), run, minutes=minutes, fitting_alone=True, preset=preset, report=False)
    return run


def render_vehicles(views: Path, ids: Sequence[str]) -> None:
    """Render those of these vehicles that are not there yet."""
    missing = {name for name in ids if not (views / name / "transforms.json").is_file()}
    if missing:
        sources = [source for source in find_meshes(MODELS / "vehicles") if source.id in missing]
        render_set(MODELS / "vehicles", views, views=VIEWS, size=SIZE, depth=False, sources=sources)


def before_steps(record: RunRecord, earlier: RunRecord | None = None) -> float:
    """Seconds that its objects took besides steps: reading views, hulls, pixels. Less those of an `earlier` record."""
    own = sum(record.seconds.get(name, 0.0) for name in ("reading", "pixels"))
    return own - (before_steps(earlier) if earlier is not None else 0.0)
