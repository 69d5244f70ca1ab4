"""What the parts of this benchmark share: vehicles, runs to render and to fit against, and rows."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import designs, folder_of
from benchmarks.places import RESULTS, SHARED
from manyfields import runs
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.fitting.data import FittingObject, load_object
from manyfields.runs import RunRecord
from manyfields.views import read_views
from manyfields.views.inventory import make_inventory
from manyfields.views.mesh_sources import MeshSource, find_meshes
from manyfields.views.render_set import render_set

ROWS = RESULTS / "speed.json"
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
        return (SHARED / "data" / "models" / "vehicles" / "manifest.json").is_file()

    @property
    def prefix(self) -> str:
        return "cpu" if self.real else "inventory"

    def row(self, name: str, value: float | None, unit: str, note: str) -> Record:
        return new_record(f"{self.prefix}.{name}", value, unit, f"{note}, {self.threads} threads")

    @property
    def ids(self) -> list[str]:
        """Objects of different designs, in an order that has nothing to do with their looks."""
        if self.real:
            return designs(self.work)
        return sorted(path.parent.name for path in (self.work / "views").glob("*/transforms.json"))

    @property
    def new(self) -> list[str]:
        """Objects that the shared part has not seen."""
        return self.ids[FIRST : FIRST + NEW]

    def views(self) -> None:
        """Render the vehicles, where that is not done."""
        if (self.work / "views").is_dir() and len(self.ids) >= FIRST + NEW:
            return
        if not self.real:
            make_inventory(self.work / "meshes", "vehicle", FIRST + NEW)
            render_set(self.work / "meshes", self.work / "views", views=VIEWS, size=SIZE, depth=False)
            return
        models = SHARED / "data" / "models" / "vehicles"
        first: dict[str, MeshSource] = {}
        for source in sorted(find_meshes(models), key=lambda source: source.id):
            first.setdefault(source.group, source)
        groups = sorted(first, key=lambda name: hashlib.sha256(name.encode()).hexdigest())  # the order of `designs`
        chosen = [first[name] for name in groups[: FIRST + NEW]]
        render_set(models, self.work / "views", views=VIEWS, size=SIZE, depth=False, sources=chosen)

    def shared_run(self) -> Path:
        """A finished run of the default preset on the first objects: its shared part is what stage 2 fits against."""
        run = self.work / f"speed-shared-{self.minutes:g}"
        data = folder_of(self.work, "speed-first", self.ids[:FIRST])
        runs.fit(
            data, run, minutes=2 * self.minutes, fitting_alone=True, resume=(run / "run.json").exists(), report=False
        )
        return run

    def triplanes_run(self) -> Path:
        """A finished run of Tri-Planes in RGB, to render."""
        run = self.work / f"speed-triplanes-{self.minutes:g}"
        data = folder_of(self.work, "speed-two", self.ids[:2])
        resume = (run / "run.json").exists()
        runs.fit(data, run, minutes=self.minutes, fitting_alone=True, preset="tri-planes", resume=resume, report=False)
        return run

    def objects(
        self, ids: list[str], record: RunRecord, size: int = SIZE, views: int | None = None
    ) -> list[FittingObject]:
        """Objects with their training views read, as a run would."""
        found = read_views(self.work / "views")
        settings = record.settings
        sources = [found[name] if views is None else found[name].subset(range(views)) for name in ids]
        return [load_object(each, (size, size), seed=settings.seed, hull=settings.hull) for each in sources]


def store(rows: list[Record], path: Path = ROWS) -> None:
    """Write rows of record, and print them."""
    write_records(path, rows)
    for row in rows:
        value = " not reached" if row.value is None else f"{row.value:12.5g}"
        print(f"{row.name:58} {value} {row.unit:9} {row.note}", flush=True)
