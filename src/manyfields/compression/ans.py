"""Symbols whose tables depend on the symbols before them: an ANS coder whose words are those of `constriction`.

Encoding knows all contexts beforehand, so `constriction` does it in one call. Decoding has to find each context between
two symbols; its loops are in `ans_loops`, compiled by numba where that is installed.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import constriction
import numpy as np
from jaxtyping import Int, UInt32, UInt64

from manyfields.compiled import compiled_for, kernel
from manyfields.compression import ans_loops
from manyfields.compression.context_classes import BITS
from manyfields.compression.frequencies import CODER_BITS
from manyfields.errors import CollectionError

CHUNK = 1 << 14  # symbols whose tables are laid out at a time
FAMILY = constriction.stream.model.Categorical(perfect=False)


def encode_rows(
    symbols: Int[np.ndarray, " m"], classes: Int[np.ndarray, " m"], frequencies: Int[np.ndarray, "C K"]
) -> bytes:
    """The coder's words of symbols 0 .. K - 1, each by the row of `frequencies` that its class names.

    Rows are at least 1 and sum to 2^16.
    """
    coder = constriction.stream.stack.AnsCoder()
    exact = ((frequencies.astype(np.int64) << (CODER_BITS - BITS)) - 1).astype(np.float32)
    for start in reversed(range(0, len(symbols), CHUNK)):
        some = slice(start, start + CHUNK)
        coder.encode_reverse(symbols[some].astype(np.int32), FAMILY, exact[classes[some]])
    return coder.get_compressed().astype("<u4").tobytes()


class Words:
    """The words of one stream while they are decoded."""

    def __init__(self, data: bytes, what: str) -> None:
        """Raises CollectionError, naming `what`, for bytes that are no words of a coder."""
        if len(data) % 4 or data[-4:] == b"\0\0\0\0":
            raise CollectionError(f"{what}: {len(data)} coded bytes are not the words of an entropy coder")
        self.what = what
        self._words: UInt32[np.ndarray, " n"] = np.frombuffer(data, "<u4").astype(np.uint32)
        state, left = 0, len(self._words)
        while left and state < 1 << 32:
            left -= 1
            state = state << 32 | int(self._words[left])
        self._coder = np.array([state, left], np.uint64)

    def decode(self, loop: str, *arguments: np.ndarray) -> None:
        """Go on with a loop of `ans_loops`."""
        run = compiled_loop(loop) if compiled_for() else getattr(ans_loops, loop)
        run(self._words, self._coder, *arguments)

    def end(self) -> None:
        """Raises CollectionError where words are left, or the coder is not where encoding began."""
        if self._coder.any():
            raise CollectionError(f"{self.what}: the coded bytes do not end where the symbols do")


@cache
def compiled_loop(name: str) -> Callable[..., Any]:
    """A loop of `ans_loops`, compiled when it is first asked for."""
    return kernel()(getattr(ans_loops, name))


def cumulated(frequencies: Int[np.ndarray, "C K"]) -> UInt64[np.ndarray, "C K1"]:
    """Running sums of rows from 0 on, in units of 2^-24, as decoding wants them."""
    sums = np.zeros((len(frequencies), frequencies.shape[1] + 1), np.uint64)
    sums[:, 1:] = np.cumsum(frequencies.astype(np.uint64), 1)
    return sums << np.uint64(CODER_BITS - BITS)
