"""`manyfields add`: new objects against the frozen shared part of a run."""

import shlex
from dataclasses import dataclass

from manyfields.commands._command import Command, DataFolder, OptionalCount, OptionalMinutes, RunFolder
from manyfields.commands._progress import progress, to_stderr


@dataclass(frozen=True)
class Add(Command):
    """Add new objects to a run. Only their codes are fitted; no byte of what is already stored changes."""

    folder: RunFolder
    """Run folder that `manyfields fit` made."""
    data: DataFolder
    """Folder of posed images of the new objects."""
    minutes: OptionalMinutes = None
    """Time for all new objects together, with measuring and report; the run's own steps an object if not given."""
    threads: OptionalCount = None
    """CPU threads for torch; its own choice if not given."""

    def run(self) -> int:
        import torch

        from manyfields import runs

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        with progress("add") as report:
            runs.add(self.folder, self.data, minutes=self.minutes, progress=report, say=to_stderr)
        print(f"added to the collection in {self.folder}")
        return 0

    def resume_hint(self) -> str:
        again = shlex.join(["manyfields", "add", str(self.folder), str(self.data)])
        return f"{again} (objects already added are skipped)"
