"""Entropy coding of planes of indices by tables that a set shares, chosen by what the texel above has.

    index above ── classes ──► class ── frequencies ──► probabilities of this index

Neighbouring texels are alike, so the index above says something of the one below. A table for each index would be as
large as many objects, so indices that foretell alike share a class. The first texel below a gap has its own context.
Rows are coded one after the other, and within a row codebook after codebook, by one ANS coder; so a decoder always has
the row above. Frequencies are integers (see `frequencies`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import constriction
import numpy as np
from jaxtyping import Bool, Float, Int

from manyfields.compression.context_classes import BITS, shared_classes, smoothed_frequencies
from manyfields.compression.frequencies import CODER_BITS
from manyfields.errors import CollectionError

MOST_CLASSES = 16
MOST_BYTES = 30_000  # of all tables together: fewer classes for larger codebooks
ABSENT = -1  # stands where there is no index; in `classes` it means the last entry


@dataclass(frozen=True)
class ContextTables:
    """For codebook n of 2^b entries: `classes[n]` (2^b + 1), the class of each index above and, last, of none above;
    `frequencies[n]` (C, 2^b), which are at least 1 and sum to 2^16 for each class."""

    classes: tuple[Int[np.ndarray, " _"], ...]
    frequencies: tuple[Int[np.ndarray, "C _"], ...]

    @staticmethod
    def learn(objects: Sequence[Int[np.ndarray, "n P H W"]], widths: Sequence[int]) -> "ContextTables":
        """From the planes of indices of some objects, `ABSENT` where a texel has none. `widths`: 2^b by codebook."""
        count = max(1, min(MOST_CLASSES, MOST_BYTES // (2 * sum(widths))))
        classes, frequencies = [], []
        for number, width in enumerate(widths):
            counts = np.zeros((width + 1, width))
            for planes in objects:
                own = planes[number]
                here = own != ABSENT
                np.add.at(counts, (_above(own)[here], own[here]), 1)
            chosen, summed = shared_classes(counts, count)
            classes.append(chosen)
            frequencies.append(np.stack([smoothed_frequencies(row, summed.sum(0)) for row in summed]))
        # A file tells one number of classes: small codebooks, which have fewer, get some that nothing uses.
        most = max(map(len, frequencies))
        padded = [np.concatenate([own, np.repeat(own[-1:], most - len(own), axis=0)]) for own in frequencies]
        return ContextTables(tuple(classes), tuple(padded))

    def bits(self, number: int, above: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m K"]:
        """What each index of a codebook costs, in bits, below the indices `above`."""
        costs = (BITS - np.log2(self.frequencies[number])).astype(np.float32)
        return costs[self.classes[number][above]]

    def encode(self, planes: Int[np.ndarray, "n P H W"]) -> bytes:
        """The coder's words of one object's indices."""
        coder = constriction.stream.stack.AnsCoder()
        for number, row, here in reversed(list(_steps(planes[0] != ABSENT, len(planes)))):
            symbols = planes[number, :, row][here].astype(np.int32)
            coder.encode_reverse(symbols, FAMILY, self._probabilities(planes, number, row, here))
        return coder.get_compressed().astype("<u4").tobytes()

    def decode(self, data: bytes, mask: Bool[np.ndarray, "P H W"], what: str) -> Int[np.ndarray, "n P H W"]:
        """Planes of indices where `mask` is set. Raises CollectionError, naming `what`, for other bytes than encode's.

        Altered bytes that happen to decode are beyond this: they are for checksums to find.
        """
        if len(data) % 4 or data[-4:] == b"\0\0\0\0":
            raise CollectionError(f"{what}: {len(data)} coded bytes are not the words of an entropy coder")
        coder = constriction.stream.stack.AnsCoder(np.frombuffer(data, "<u4").astype(np.uint32))
        planes = np.full((len(self.classes), *mask.shape), ABSENT, np.int64)
        for number, row, here in _steps(mask, len(planes)):
            planes[number, :, row][here] = coder.decode(FAMILY, self._probabilities(planes, number, row, here))
        if not coder.is_empty():
            raise CollectionError(f"{what}: the coded bytes do not end where the indices do")
        return planes

    def _probabilities(self, planes: np.ndarray, number: int, row: int, here: np.ndarray) -> Float[np.ndarray, "m K"]:
        """In the form that leaves constriction nothing to round: see `frequencies`."""
        above = planes[number, :, row - 1][here] if row else np.full(int(here.sum()), ABSENT)
        frequencies = self.frequencies[number][self.classes[number][above]]
        return ((frequencies << (CODER_BITS - BITS)) - 1).astype(np.float32)


def _steps(mask: Bool[np.ndarray, "P H W"], books: int) -> Iterator[tuple[int, int, Bool[np.ndarray, "P W"]]]:
    """(codebook, row, texels of the row in all planes that count), in the order of coding."""
    for row in range(mask.shape[1]):
        here = mask[:, row]
        if here.any():
            for number in range(books):
                yield number, row, here


def _above(planes: Int[np.ndarray, "P H W"]) -> Int[np.ndarray, "P H W"]:
    above = np.full_like(planes, ABSENT)
    above[:, 1:] = planes[:, :-1]
    return above


FAMILY = constriction.stream.model.Categorical(perfect=False)
