"""All that `fit`, `add` and `evaluate` ask of where their objects come from.

folder ──► find ──► load ──► data ──► (a fit) ──► codes ──► measure, store
             └── objects and problems    └── what steps draw from    └── figures of stored bytes
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from manyfields.collection import Collection, ObjectRecord
from manyfields.evaluation.report import Dataset, ObjectResult
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.fitters import Named, StageData, StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.costs import Costs
from manyfields.runs.trainer import Clock
from manyfields.shared_part import SharedPart
from manyfields.views import Problem

Figures = dict[str, float | None]
"""By the name of a metric; None: not measured."""
Probe = Callable[[], dict[str, float]]
"""Gives figures of a few held-out views as they are now, by name."""
Watch = Callable[[], float]
"""Gives the PSNR of a few views that are set aside as they are now."""


class FoundObject(Protocol):
    """An object as it is found, before it is read into memory."""

    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str | None: ...


F = TypeVar("F", bound=FoundObject)
L = TypeVar("L", bound=Named)


@dataclass(frozen=True)
class Found(Generic[F]):
    """The usable objects of a folder, and what was wrong with others, or with a part of these."""

    folder: Path
    objects: list[F]
    problems: list[Problem] = field(default_factory=list)

    def by_id(self) -> dict[str, F]:
        return {item.id: item for item in self.objects}


class StoresWaves(Protocol):
    """A run under way, as far as a source asks of it."""

    @property
    def record(self) -> RunRecord: ...
    def store(self, collection: Collection, fitter: StageFitter, stage: int) -> None:
        """Append what is not stored yet of the fitter's objects, as one wave."""
        ...

    def fit_wave(
        self,
        collection: Collection,
        objects: Sequence[Any],
        phases: Sequence[Phase],
        name: str,
        stage: int = 2,
        kept: ObjectCodes | None = None,
    ) -> None:
        """Fit codes against the shared part as it is stored, and append them."""
        ...


class Source(ABC, Generic[F, L]):
    """A kind of data that objects are fitted to. F: an object as it is found; L: as it is loaded."""

    @abstractmethod
    def find(self, folder: Path, settings: FitSettings, objects: Sequence[str], progress: Progress) -> Found[F]:
        """Read and check a folder; of all its objects, or those named. Raises ViewError or MeshError for no data."""

    @abstractmethod
    def load(self, objects: Sequence[F], record: RunRecord, progress: Progress) -> list[L]:
        """Some objects in memory. What cannot be read enters the record's problems, and is not among them."""

    @abstractmethod
    def data(self, objects: Sequence[L], device: torch.device) -> StageData:
        """What the steps of a stage or wave draw from."""

    @abstractmethod
    def held_out(self, item: F, settings: FitSettings) -> dict[str, Any]:
        """What the record keeps: `views` (names never trained on; none where unseen objects are the measure), and
        `trained` (how many were)."""

    @abstractmethod
    def size(self, objects: Sequence[F], settings: FitSettings) -> tuple[int, int]:
        """Width and height to which all are brought."""

    # Which objects when, and for how many steps.

    @abstractmethod
    def stage1_objects(self, found: Found[F], settings: FitSettings) -> int:
        """How many learn the shared part. Raises ViewError where there are too few to share anything."""

    @abstractmethod
    def wave(self, settings: FitSettings, objects: Sequence[L]) -> int:
        """How many objects like these, which are those of stage 1, stage 2 fits side by side if settings do not say."""

    @abstractmethod
    def spare(self, record: RunRecord, objects: Sequence[F], phases: Sequence[Phase]) -> None:
        """Set views aside that decide when a phase ends, where phases of the run may end early."""

    @abstractmethod
    def plan(self, record: RunRecord, data: StageData, factor: float = 1.0) -> None:
        """Set the phases of the record with their steps: those of the settings, times `factor`."""

    @abstractmethod
    def phases_of_wave(
        self, settings: FitSettings, planned: Sequence[Phase], count: int, share: float, factor: float = 1.0
    ) -> list[Phase]:
        """The phases of a wave of `count` objects. `planned`: those of the first wave, with `factor` in them; `share`:
        the wave's training views, as a share of the first wave's."""

    @abstractmethod
    def schedule(self, record: RunRecord) -> list[tuple[str, Phase, int]]:
        """Name, phase, and how often it is run, in the order of `phases1` and `phases2` of the record."""

    @abstractmethod
    def fill(self, record: RunRecord, data: StageData, seconds: float, times: Sequence[float]) -> None:
        """Plan so many steps that all phases take `seconds`; `times`: of a step of each phase, as in `schedule`."""

    @abstractmethod
    def costs(self, fitter: StageFitter, record: RunRecord, clock: Clock) -> Costs:
        """What measuring takes, on the fitter of a pilot."""

    @abstractmethod
    def pictures_of(self, record: RunRecord, ids: Sequence[str]) -> list[int]:
        """Of each of some objects, how many pictures it is measured on."""

    # Fitting and storing.

    @abstractmethod
    def looks(self, fitter: StageFitter, record: RunRecord) -> tuple[Probe | None, Watch | None]:
        """Quick looks at what a fit does not learn from: for curves, and at what is set aside to end phases by."""

    @abstractmethod
    def wave_fitter(
        self,
        settings: FitSettings,
        shared: SharedPart,
        data: StageData,
        phases: Sequence[Phase],
        kept: ObjectCodes | None = None,
    ) -> StageFitter:
        """A fitter of codes against a shared part that stays as it is, which `phases` (there may be none) learn on.
        `kept`: codes to begin with, in the place of the average object's."""

    @abstractmethod
    def store_first(self, run: StoresWaves, collection: Collection, fitter: StageFitter) -> None:
        """Store the objects of stage 1, as it has left them."""

    @abstractmethod
    def stored(self, item: L, layers: list[bytes], metrics: Mapping[str, float]) -> ObjectRecord:
        """An object as a collection takes it."""

    @abstractmethod
    def measure(
        self,
        collection: Collection,
        objects: Sequence[L],
        layers: Sequence[list[bytes]],
        record: RunRecord,
        progress: Progress,
    ) -> list[dict[str, float]]:
        """Figures of what the bytes of each object decode to, for the index."""

    # What a finished run tells.

    @abstractmethod
    def evaluate(
        self, collection: Collection, record: RunRecord, level: int | None, progress: Progress
    ) -> tuple[dict[str, Figures], list[str]]:
        """Figures of stored objects by id, from their first `level` layers (all when None), and notes on them.

        Raises RunError where there is nothing to measure on, ViewError where that is gone.
        """

    @abstractmethod
    def results(self, collection: Collection, record: RunRecord, progress: Progress) -> Iterator[ObjectResult]:
        """What the report shows of each stored object."""

    @abstractmethod
    def dataset(self, collection: Collection, record: RunRecord) -> Dataset:
        """What the report says of the data."""

    @abstractmethod
    def report_notes(self, collection: Collection, record: RunRecord) -> tuple[str, ...]:
        """What figures and pictures are of, and what has none."""

    def no_lpips(self) -> str | None:
        """Why there is no LPIPS, where that could be measured; None elsewhere."""
        return None

    @abstractmethod
    def drawing(self, collection: Collection, name: str, record: RunRecord) -> tuple[Callable[[], object], int]:
        """What draws a stored object as a viewer would, and how many pictures it draws."""
