"""Whether kernels compiled by numba can stand in for plain PyTorch, with how many threads, and where they are kept."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from manyfields.errors import Remark

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


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` for a loop that is kept on disk once it is compiled; where nothing can be, it is compiled anew.

    options: those of `njit`. Where an install is read-only and there is no home, a line says once that nothing is kept.
    """
    from numba import njit

    _numba()  # before a loop that nobody asked `compiled_for` about starts the pool

    def compiled(loop: Callable[..., Any]) -> Any:
        made = njit(nogil=True, **options)(loop)
        try:
            made._cache = _disk_cache()(loop)
        except (RuntimeError, OSError) as error:  # numba raises RuntimeError where no folder can be written
            _not_kept(error)
        return made

    return compiled


@cache
def _disk_cache() -> Any:
    from numba.core.caching import FunctionCache

    class DiskCache(FunctionCache):
        """Numba's, but a full disk or files that only another user may read do not end a command."""

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except (OSError, EOFError) as error:
                _not_kept(error)
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except (OSError, EOFError) as error:
                _not_kept(error)

    return DiskCache


@cache
def _say_once(text: str) -> None:
    warnings.warn(text, Remark, stacklevel=2)


def _not_kept(error: Exception) -> None:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "no folder for it can be written"
    _say_once(
        f"compiled loops cannot be kept on this machine ({why.lower()}), so each start compiles them anew and begins "
        "later; set NUMBA_CACHE_DIR to a folder that can be written"
    )


def has_fast_bf16(device: torch.device) -> bool:
    """Whether 16-bit brain floats are faster than float32 here."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()
