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
    """Time to spend on all new objects together; the run's own steps an object if not given."""
    threads: OptionalCount = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        with progress("add") as report:
            runs.add(self.folder, self.data, minutes=self.minutes, progress=report, say=to_stderr)
        print(f"added to the collection in {self.folder}")
        return 0

    def resume_hint(self) -> str:
        again = shlex.join(["manyfields", "add", str(self.folder), str(self.data)])
        return f"{again} (objects already added are skipped)"
