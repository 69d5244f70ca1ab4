"""`manyfields add`: new objects against the frozen shared part of a run."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from manyfields.commands._command import Command, DataFolder, OptionalMinutes, RunFolder, Threads
from manyfields.commands._progress import progress, to_stderr

NAMED = 5  # of the objects that are stored already


@dataclass(frozen=True)
class Add(Command):
    """Add new objects to a run. Only their codes are fitted; no byte of what is already stored changes."""

    folder: RunFolder
    """Run folder that `manyfields fit` made."""
    data: DataFolder
    """Folder of the new objects: posed images, or images or meshes where the run is of such."""
    minutes: OptionalMinutes = None
    """Time for all new objects together, with measuring and report; the run's own steps an object if not given."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        known: list[str] = []
        before = len(open_run(self.folder))
        with progress("add") as report:
            made = runs.add(
                self.folder, self.data, minutes=self.minutes, progress=report, say=to_stderr, passed_over=known.extend
            )
        added = len(made) - before
        said = f"{added:,} object{'' if added == 1 else 's'} added"
        print(f"{said}, {passed(known)}" if known else f"{said} to {self.folder}")
        return 0

    def resume_hint(self) -> str:
        again = shlex.join(["manyfields", "add", str(self.folder), str(self.data)])
        return f"{again} (objects already added are skipped)"


def passed(ids: Sequence[str]) -> str:
    """`3 passed over: a, b and 1 more are stored already`."""
    shown = ", ".join(ids[:NAMED])
    if len(ids) > NAMED:
        shown += f" and {len(ids) - NAMED:,} more"
    return f"{len(ids):,} passed over: {shown} {'is' if len(ids) == 1 else 'are'} stored already"
