"""Entropy coding of latents by tables that a set shares, chosen by how large the latents before them are.

    latents around, coded already ── near, before ──► context ── classes ──► class ── frequencies ──► probabilities

Two sums of magnitudes tell how large a latent will be: `near`, of the same channel at the texels to the left and above,
and `before`, of the other channels: those that come first at the same texel, and all of them at the one above. Each
falls into one of five ranges. A table for each of the 25 contexts of every channel and level would be more than a set
has data for, so contexts whose latents are alike share one. Latents go texel by texel, all channels of one before the
next, through one ANS coder. Frequencies are integers (see `frequencies`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from manyfields.compression.ans import Words, cumulated, encode_rows
from manyfields.compression.context_classes import shared_classes, smoothed_frequencies

NEAR_FROM, BEFORE_FROM = np.array([1, 2, 4, 9]), np.array([1, 3, 7, 15])
"""The least sums of all ranges but the first."""
RANGES = len(NEAR_FROM) + 1
CLASSES = 48
LARGEST_REACH = 127

Levels = Sequence[Int[np.ndarray, "3 _h _w Z"]]
Masks = Sequence[Bool[np.ndarray, "3 _h _w"]]


@dataclass(frozen=True, eq=False)
class PyramidTables:
    """`classes` (L, Z, 5, 5): the class of each level, channel, range of `near` and of `before`; `frequencies` (C, K)
    of the latents -reach .. reach in each class, at least 1, which sum to 2^16."""

    classes: Int[np.ndarray, "L Z 5 5"]
    frequencies: Int[np.ndarray, "C K"]

    @property
    def reach(self) -> int:
        return self.frequencies.shape[1] // 2

    @staticmethod
    def learn(objects: Sequence[tuple[Levels, Masks]], reach: int, classes: int = CLASSES) -> "PyramidTables":
        """From the latents of some objects, coarse levels first; larger ones than `reach` count as `reach`."""
        levels, channels = len(objects[0][0]), objects[0][0][0].shape[-1]
        counts = np.zeros((levels, channels, RANGES * RANGES, 2 * reach + 1))
        channel = np.arange(channels)
        for latents, masks in objects:
            for level, (own, here) in enumerate(zip(latents, masks, strict=True)):
                own = own.clip(-reach, reach)
                ranges = ranges_of(own)[here]
                np.add.at(counts[level], (channel[None], ranges, own[here] + reach), 1)
        chosen, summed = shared_classes(counts.reshape(-1, 2 * reach + 1), classes)
        used, chosen = np.unique(chosen, return_inverse=True)
        frequencies = np.stack([smoothed_frequencies(row, summed.sum(0)) for row in summed[used]])
        return PyramidTables(chosen.reshape(levels, channels, RANGES, RANGES), frequencies)

    def encode(self, latents: Levels, masks: Masks, first: int = 0) -> bytes:
        """The coder's words of some levels, from level `first` on; latents are within the reach."""
        symbols, classes = [], []
        for level, (own, here) in enumerate(zip(latents, masks, strict=True), first):
            own = own * here[..., None]
            flat = self.classes[level].reshape(-1, RANGES * RANGES)
            symbols.append(own[here].ravel() + self.reach)
            classes.append(flat[np.arange(len(flat)), ranges_of(own)[here]].ravel())
        return encode_rows(np.concatenate(symbols), np.concatenate(classes), self.frequencies)

    def decode(self, data: bytes, masks: Masks, first: int, what: str) -> list[Int[np.ndarray, "3 _h _w Z"]]:
        """Levels from `first` on, zeros beyond their masks. Raises CollectionError for other bytes than encode's.

        Altered bytes that happen to decode are beyond this: they are for checksums to find.
        """
        words, sums, levels = Words(data, what), cumulated(self.frequencies), []
        for level, here in enumerate(masks, first):
            planes, height, width = here.shape
            values = np.zeros((planes, height + 1, width + 2, self.classes.shape[1]), np.int64)
            words.decode("latents", here, sums, self.classes[level], NEAR_FROM, BEFORE_FROM, values)
            levels.append(values[:, 1:, 1:-1])
        words.end()
        return levels


def ranges_of(latents: Int[np.ndarray, "3 h w Z"]) -> Int[np.ndarray, "3 h w Z"]:
    """The two ranges of every latent as one number; latents beyond the mask are 0."""
    size = np.abs(np.pad(latents, ((0, 0), (1, 0), (1, 1), (0, 0))))
    left, above = size[:, 1:, :-2], size[:, :-1, 1:-1]
    near = 2 * left + 2 * above + size[:, :-1, :-2] + size[:, :-1, 2:]
    here = size[:, 1:, 1:-1]
    before = 2 * (here.cumsum(-1) - here) + above.sum(-1, keepdims=True)
    return np.digitize(near, NEAR_FROM) * RANGES + np.digitize(before, BEFORE_FROM)
