"""Whether kernels compiled by numba can stand in for plain PyTorch, and with how many threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

_allowed = os.environ.get("MANYFIELDS_COMPILED", "1") != "0"


@cache
def _numba():
    try:
        import numba
    except ImportError:
        return None
    # Its pool starts with the first call, and sets the threads of OpenMP, which are also PyTorch's, to all cores.
    before = torch.get_num_threads()
    numba.get_num_threads()
    torch.set_num_threads(before)
    return numba


def compiled_for(*tensors: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether compiled kernels take these tensors: `dtype` in CPU memory, numba is installed, and nobody forbids them.

    Sets numba's threads to torch's, so that one setting rules both. The environment variable MANYFIELDS_COMPILED=0
    forbids them for a process, `plain_only` for a while.
    """
    if not _allowed or any(tensor.device.type != "cpu" or tensor.dtype != dtype for tensor in tensors):
        return False
    numba = _numba()
    if numba is None:
        return False
    numba.set_num_threads(max(1, min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)))
    return True


@contextmanager
def plain_only() -> Iterator[None]:
    """Within it everything runs in plain PyTorch: to compare, and to find out which of the two is at fault."""
    global _allowed
    before, _allowed = _allowed, False
    try:
        yield
    finally:
        _allowed = before
