"""`manyfields compare`: variants of the family, or codecs of octree fields, side by side under one budget."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyfields.commands._command import Command, DataFolder, OptionalCount, OptionalMinutes
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table


@dataclass(frozen=True)
class Compare(Command):
    """Fit the same data with each variant for the same time, stage 1 included, and put the figures in one table.

    With --codecs: octree fields of each object, stored in each way for the same number of steps (VQ-AD's Tables 2, 3).
    """

    data: DataFolder
    """Folder of posed images of many objects."""
    minutes: OptionalMinutes = None
    """Time for each variant, one after the other; needed, but for --codecs."""
    out: Path = Path("runs/compare")
    """Folder for the runs of the variants and the table."""
    variants: tuple[str, ...] = field(default=())
    """Presets to compare; those of the paper's tables if not given."""
    codecs: bool = False
    """Compare ways to store octree fields: uncompressed, low rank, k-means, hashed and learned codebooks."""
    methods: tuple[str, ...] = field(default=())
    """Of --codecs: such as uncompressed vq6 hash12 vq6_from_noise; those of the paper's tables if not given."""
    objects: tuple[str, ...] = field(default=())
    """Of --codecs: objects to take; all of them if not given."""
    steps: OptionalCount = None
    """Of --codecs: steps of each method; 1000 if not given."""
    seed: int = 0
    """The same seed, views and threads for every variant."""
    threads: OptionalCount = None
    """CPU threads for torch; its own choice if not given."""

    def run(self) -> int:
        import torch

        from manyfields.errors import ConfigError

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        if self.codecs and (self.minutes is not None or self.variants):
            raise ConfigError("--codecs goes by --steps, and has methods: leave out --minutes and --variants")
        if not self.codecs and (self.methods or self.objects or self.steps is not None):
            raise ConfigError("--methods, --objects and --steps are of --codecs: add it, or leave them out")
        if not self.codecs and self.minutes is None:
            raise ConfigError("--minutes says how long each variant is fitted: give it, or --codecs")
        rows = self._codecs() if self.codecs else self._variants()
        columns = list(rows[0])
        print_table(columns, [[row.get(c) for c in columns] for row in rows])
        return 0

    def _variants(self) -> list[dict[str, Any]]:
        from manyfields import runs

        assert self.minutes is not None
        with progress("compare") as report:
            return runs.compare(
                self.data, minutes=self.minutes, out=self.out, variants=self.variants, seed=self.seed, progress=report
            )

    def _codecs(self) -> list[dict[str, Any]]:
        from manyfields import runs
        from manyfields.runs.compare_codecs import METHODS, STEPS

        with progress("compare") as report:
            return runs.compare_codecs(
                self.data,
                out=self.out,
                steps=self.steps or STEPS,
                methods=self.methods or METHODS,
                objects=self.objects,
                seed=self.seed,
                progress=report,
            )

    def resume_hint(self) -> str:
        return f"run the same command again; what is finished in {self.out} is kept"
