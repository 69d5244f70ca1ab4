"""A run under way: stages and waves from their checkpoints to stored objects."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyfields.collection import Collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.fitters import StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import device
from manyfields.runs.publishing import note_stage
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.source import Source
from manyfields.runs.store_objects import store_objects
from manyfields.runs.trainer import StageTrainer

KEYS = {"stage 1": "stage1", "stage 2": "stage2"}
"""Names of stages as records and checkpoints have them; waves have their own."""


@dataclass(frozen=True)
class RunUnderWay:
    """A run folder with its record, where its objects come from, and who is told what."""

    folder: Path
    record: RunRecord
    source: Source[Any, Any]
    progress: Progress
    say: Callable[[str], None]

    def train(
        self,
        fitter: StageFitter,
        phases: Sequence[Phase],
        name: str,
        spent: dict[str, float] | None = None,
        step_seconds: Sequence[float] = (),
    ) -> StageTrainer:
        """Run a stage or wave from its checkpoint, or from its start where there is none, and note what it took.

        `spent`: time before that start.
        """
        probe, watch = self.source.looks(fitter, self.record)
        trainer = StageTrainer(
            name,
            fitter,
            phases,
            self._checkpoint(name),
            every_seconds=self.record.settings.checkpoint_seconds,
            progress=self.progress,
            probe=probe,
            watch=watch,
            step_seconds=step_seconds,
            say=self.say,
            seconds=spent or {},
        )
        trainer.run()
        note_stage(self.record, self.folder, KEYS.get(name, name), trainer)
        return trainer

    def load(self, objects: Sequence[Any]) -> list[Any]:
        """Some objects in memory; the record is saved, which knows of those that cannot be read."""
        began = time.monotonic()
        loaded = self.source.load(objects, self.record, self.progress)
        self.record.spend("reading", time.monotonic() - began)
        self.record.save(self.folder)
        return loaded

    def fit_wave(
        self,
        collection: Collection,
        objects: Sequence[Any],
        phases: Sequence[Phase],
        name: str,
        stage: int = 2,
        kept: ObjectCodes | None = None,
    ) -> None:
        """Fit the codes of loaded objects against the published shared part, and store them as one wave.

        `kept`: codes to begin with, in the place of the average object's. Without phases they are stored as they are.
        """
        if not objects:
            return
        settings = self.record.settings
        shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
        began = time.monotonic()
        fitter = self.source.wave_fitter(settings, shared, self.source.data(objects, device(settings)), phases, kept)
        self.record.spend("pixels", time.monotonic() - began)
        if phases:
            self.train(fitter, phases, name)
        self.store(collection, fitter, stage)

    def store(self, collection: Collection, fitter: StageFitter, stage: int) -> None:
        """Append what is not stored yet of the fitter's objects, as one wave."""
        objects = fitter.data.objects
        missing = [row for row, item in enumerate(objects) if item.id not in collection]
        if missing:
            codes = fitter.codes_of(missing)
            chosen = [objects[row] for row in missing]
            store_objects(collection, self.source, chosen, codes, self.record, stage, self.progress)

    def _checkpoint(self, name: str) -> Path:
        path = self.folder / "checkpoints" / f"{KEYS.get(name, name).replace(' ', '-')}.safetensors"
        # Earlier versions called that of stage 1 of images and voxels so.
        older = path.with_name(f"{name.replace(' ', '-')}.safetensors")
        return older if older.is_file() else path
