"""One process at a time: a lock on a file or folder that ends with the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfields.errors import RunError


@contextmanager
def locked(path: Path, busy: Exception) -> Iterator[None]:
    """Hold `path`, a file or a folder that is there; nothing is written to it. Raises `busy` where another holds it.

    A process that is killed lets go. Processes that are spawned inside do not hold the lock: they do not inherit it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
    finally:
        os.close(descriptor)


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
