"""Whether kernels compiled by numba can stand in for plain PyTorch, and with how many threads."""

from functools import cache

import torch
from torch import Tensor


@cache
def _numba():
    try:
        import numba
    except ImportError:
        return None
    return numba


def compiled_for(*tensors: Tensor) -> bool:
    """Whether compiled kernels take these tensors: float32 in CPU memory, and numba is installed.

    Sets numba's threads to torch's, so that one setting rules both.
    """
    if any(tensor.device.type != "cpu" or tensor.dtype != torch.float32 for tensor in tensors):
        return False
    numba = _numba()
    if numba is None:
        return False
    numba.set_num_threads(max(1, min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)))
    return True
