"""One process at a time writes to a run folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfields.errors import RunError


@contextmanager
def only_process(run: Path) -> Iterator[None]:
    """Hold the run folder for writing; the lock ends with the process. Raises RunError where another holds it."""
    if not run.is_dir():
        raise RunError(f"{run}: no such run folder; give the folder that `manyfields fit --out` made")
    with open(run / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{run}: another process is fitting into it; try again when it is done") from error
        yield
