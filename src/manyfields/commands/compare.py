"""`manyfields compare`: the family's variants side by side under one budget."""

from dataclasses import dataclass, field
from pathlib import Path

from manyfields.commands._command import Command, DataFolder, OptionalCount
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table


@dataclass(frozen=True)
class Compare(Command):
    """Fit the same data with each variant for the same time, stage 1 included, and put the figures in one table."""

    data: DataFolder
    """Folder of posed images of many objects."""
    minutes: float
    """Time for each variant, one after the other."""
    out: Path = Path("runs/compare")
    """Folder for the runs of the variants and the table."""
    variants: tuple[str, ...] = field(default=())
    """Presets to compare; those of the paper's tables if not given."""
    seed: int = 0
    """The same seed, views and threads for every variant."""
    threads: OptionalCount = None
    """CPU threads for torch; its own choice if not given."""

    def run(self) -> int:
        import torch

        from manyfields import runs

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        with progress("compare") as report:
            rows = runs.compare(
                self.data, minutes=self.minutes, out=self.out, variants=self.variants, seed=self.seed, progress=report
            )
        columns = list(rows[0])
        print_table(columns, [[row.get(c) for c in columns] for row in rows])
        return 0

    def resume_hint(self) -> str:
        return f"run the same command again; variants that are finished in {self.out} are kept"
