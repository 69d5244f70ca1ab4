"""How the process asks its system for memory."""

import ctypes
import sys

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
