"""Processes that render, each with one thread; they end with the process that started them, whatever ends it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def render_pool(workers: int) -> ProcessPoolExecutor:
    """A pool whose processes outlive neither the pool nor this process, even where it is killed."""
    context = multiprocessing.get_context("spawn")  # OpenGL contexts do not survive a fork
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start)


def _start() -> None:
    os.environ["LP_NUM_THREADS"] = "1"  # of the software renderer: objects are what is parallel
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A pool's process waits for work for ever, and what is queued it would render into folders of the next run. The
    # pipe behind `join` closes when the parent ends, by whatever signal, on every system.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
