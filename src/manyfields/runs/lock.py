"""One process at a time writes to a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfields._lock import locked
from manyfields.errors import RunError


@contextmanager
def only_process(run: Path) -> Iterator[None]:
    """Hold the run folder for writing; the lock ends with the process. Raises RunError where another holds it.

    What a run holds is looked at inside: before, another process may still be writing it.
    """
    if not run.is_dir():
        raise RunError(f"{run}: no such run folder; give the folder that `manyfields fit --out` made")
    (run / ".lock").touch()
    with locked(run / ".lock", RunError(f"{run}: another process is writing to it; try again when it is done")):
        yield
