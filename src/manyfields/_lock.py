"""One process at a time: a lock on a file or folder that ends with the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
