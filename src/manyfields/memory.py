"""How the process asks its system for memory."""

import ctypes
import os
import sys
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep the pages of freed tensors for the next ones instead of returning them to the system.

    A training step on CPU frees and takes the same large blocks over and over; without this every one of them is
    mapped and cleared anew, which costs a good part of the step. Elsewhere than on Linux with glibc: nothing happens.
    """
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    except (OSError, AttributeError):
        return


def available_memory() -> int:
    """Bytes of main memory that a new process could take: what the system has free, within the limit of its cgroup."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = [pages]
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():  # counts what caches would give back, which the number of free pages does not
        values = dict(line.split(":") for line in meminfo.read_text().splitlines() if ":" in line)
        found = [int(values["MemAvailable"].split()[0]) * 1024] if "MemAvailable" in values else found
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        found.append(int(text) - int(used.read_text()))
    return max(0, min(found))
