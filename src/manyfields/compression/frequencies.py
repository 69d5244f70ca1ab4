"""Tables of integer frequencies: the probabilities of entropy coding, stored with what they coded.

A probability that each side computes for itself breaks decoding where two machines differ in the last bit of a float,
so tables are integers in the stream (docs/reference/vq_stream.md), and `constriction` gets them in a form that leaves
it nothing to round. Its Categorical model takes floats p_i and makes of them integers that sum to 2^24: 1 for every
symbol, and p_i (2^24 - n) / sum(p) in running sums. Frequencies f_i that sum to 2^24 are therefore handed over as p_i =
f_i - 1: they sum to exactly 2^24 - n, the factor is exactly 1, and all sums are integers below 2^24, which float32 and
float64 hold exactly. The model then has the frequencies f_i themselves, on every machine with IEEE floats. (Tests hold
this against a decoder in integer arithmetic.)
"""

from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
from jaxtyping import Int

from manyfields.errors import CollectionError

CODER_BITS = 24  # of constriction's coder: its frequencies sum to 2^24
FINEST = 20


@dataclass(frozen=True)
class FrequencyTable:
    """Frequencies (int64) of the symbols 0 .. K - 1, which sum to 2^bits; 0 where a symbol never occurs.

    Where nothing occurs at all, they are all 0.
    """

    frequencies: Int[np.ndarray, " K"]
    bits: int

    @staticmethod
    def of_counts(counts: Int[np.ndarray, " K"], bits: int) -> "FrequencyTable":
        """Frequencies near those of `counts`, at least 1 for all that occurs. ValueError where 2^bits are too few."""
        counts = counts.astype(np.int64)
        total, whole = int(counts.sum()), 1 << bits
        present = np.flatnonzero(counts)
        if not len(present):
            return FrequencyTable(np.zeros(len(counts), np.int64), bits)
        if len(present) > whole or total > 1 << 40:
            raise ValueError(f"{len(present)} symbols do not fit frequencies of {bits} bits")
        exact = counts * whole
        frequencies = np.where(counts > 0, np.maximum(exact // total, 1), 0)
        missing = whole - int(frequencies.sum())
        if missing > 0:  # fewer than there are symbols: to those that rounding has hurt most
            frequencies[np.argsort(-(exact % total), kind="stable")[:missing]] += 1
        while missing < 0:  # rare symbols were rounded up to 1: frequent ones pay for it
            for symbol in np.argsort(-frequencies, kind="stable")[: len(present)]:
                taken = min(-missing, int(frequencies[symbol]) - 1, 1 + (int(frequencies[symbol]) >> 4))
                frequencies[symbol] -= taken
                missing += taken
        return FrequencyTable(frequencies, bits)

    @property
    def present(self) -> Int[np.ndarray, " P"]:
        """The symbols that occur, rising."""
        return np.flatnonzero(self.frequencies)

    def cost(self, counts: Int[np.ndarray, " K"]) -> float:
        """Bits that `counts` symbols take, in theory."""
        used = counts > 0
        return float((counts[used] * (self.bits - np.log2(self.frequencies[used]))).sum())

    def model(self) -> Any:
        """constriction's model over the positions in `present`, which must be at least two."""
        exact = (self.frequencies[self.present] << (CODER_BITS - self.bits)) - 1
        return constriction.stream.model.Categorical(exact.astype(np.float64), perfect=False)

    def to_bytes(self) -> bytes:
        """Which symbols occur (a bit each, high bit first), then f - 1 of all of them but the last, as LEB128."""
        present = self.present
        data = bytearray(np.packbits(self.frequencies > 0).tobytes())
        for frequency in self.frequencies[present[:-1]].tolist():
            value = frequency - 1
            while value > 127:
                data.append(value & 127 | 128)
                value >>= 7
            data.append(value)
        return bytes(data)

    @staticmethod
    def read(data: bytes, start: int, alphabet: int, bits: int, what: str) -> tuple["FrequencyTable", int]:
        """The table at byte `start`, and the byte after it. Raises CollectionError, naming `what`."""
        size = (alphabet + 7) // 8
        head = np.unpackbits(np.frombuffer(data[start : start + size], np.uint8))
        if len(head) != 8 * size or head[alphabet:].any():
            raise CollectionError(f"{what}: the table of frequencies is damaged")
        frequencies = head[:alphabet].astype(np.int64)
        position, left = start + size, 1 << bits
        for symbol in np.flatnonzero(frequencies)[:-1].tolist():
            value = shift = 0
            while True:
                if position >= len(data) or shift > FINEST:
                    raise CollectionError(f"{what}: the table of frequencies is cut short")
                value |= (data[position] & 127) << shift
                shift += 7
                position += 1
                if data[position - 1] < 128:
                    break
            frequencies[symbol] = value + 1
            left -= value + 1
        if frequencies.any():
            if left < 1:
                raise CollectionError(f"{what}: the frequencies of its table sum to more than 2^{bits}")
            frequencies[np.flatnonzero(frequencies)[-1]] = left
        return FrequencyTable(frequencies, bits), position
