"""Hulls by what the set's hulls look like: each cell is coded by twelve cells near it that come before it.

Solid and empty cells lie in large pieces with smooth borders, so these twelve foretell most cells nearly for certain;
how often each of the 2^12 patterns is followed by an empty cell is learned from the hulls of a set. Cells go in the
order x, y, z through one ANS coder, as in JBIG (ISO 11544) but in three dimensions and with tables that stay the same.
"""

import numpy as np
from jaxtyping import Int, UInt8

from manyfields.compression.ans import Words, encode_rows
from manyfields.compression.context_classes import BITS
from manyfields.compression.frequencies import CODER_BITS

WHAT = "the layer of the hull"
MARGIN = 2
NEIGHBOURS = np.array(
    [
        *((0, 0, -1), (0, 0, -2), (0, -1, -1), (0, -1, 0), (0, -1, 1), (0, -2, 0)),
        *((-1, -1, 0), (-1, 0, -1), (-1, 0, 0), (-1, 0, 1), (-1, 1, 0), (-2, 0, 0)),
    ]
)
PATTERNS = 1 << len(NEIGHBOURS)
TRUST = 0.4  # counted of either kind in every pattern before any hull is seen


def learn_hulls(hulls: list[UInt8[np.ndarray, "G G G"]]) -> Int[np.ndarray, " P"]:
    """How often, of 2^16 times, a cell is empty after each pattern: from 1 to 2^16 - 1."""
    counts = np.full((2, PATTERNS), TRUST)
    for hull in hulls:
        patterns = _patterns(hull)
        for kind in (0, 1):
            counts[kind] += np.bincount(patterns[(hull > 0) == kind], minlength=PATTERNS)
    return (counts[0] / counts.sum(0) * (1 << BITS)).round().astype(np.int64).clip(1, (1 << BITS) - 1)


def encode_hull(hull: UInt8[np.ndarray, "G G G"], empty: Int[np.ndarray, " P"]) -> bytes:
    frequencies = np.stack([empty, (1 << BITS) - empty], 1)
    return encode_rows((hull > 0).ravel().astype(np.int64), _patterns(hull).ravel(), frequencies)


def decode_hull(data: bytes, side: int, empty: Int[np.ndarray, " P"]) -> UInt8[np.ndarray, "G G G"]:
    """Zeros and ones. Raises CollectionError for bytes that are not those of `encode_hull`."""
    words = Words(data, WHAT)
    cells = np.zeros((side + 2 * MARGIN,) * 3, np.int32)
    words.decode("hull", empty.astype(np.uint64) << np.uint64(CODER_BITS - BITS), cells)
    words.end()
    return cells[MARGIN:-MARGIN, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.uint8)


def _patterns(hull: UInt8[np.ndarray, "G G G"]) -> Int[np.ndarray, "G G G"]:
    side = len(hull)
    padded = np.pad(hull > 0, MARGIN)
    patterns = np.zeros(hull.shape, np.int64)
    for n, offset in enumerate(NEIGHBOURS):
        x, y, z = offset + MARGIN
        patterns |= padded[x : x + side, y : y + side, z : z + side].astype(np.int64) << n
    return patterns
