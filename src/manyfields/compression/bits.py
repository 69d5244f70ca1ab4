"""Indices of 1 to 16 bits, packed into bytes without gaps: the first index begins with the high bit of byte 0."""

import numpy as np
from jaxtyping import Int

from manyfields.errors import CollectionError

WIDEST = 16
CHUNK = 1 << 16  # indices unpacked into single bits at a time; a multiple of 8, so that chunks end at whole bytes


def packed_bytes(count: int, bits: int) -> int:
    """Bytes of `count` indices: ceil(count * bits / 8)."""
    return (count * bits + 7) // 8


def pack_bits(indices: Int[np.ndarray, " m"], bits: int) -> bytes:
    """Exactly `packed_bytes(m, bits)` bytes; what is left of the last byte is 0. ValueError for indices beyond `bits`.

    >>> pack_bits(np.array([1, 2, 3]), 3).hex()
    '2980'
    """
    _check_width(bits)
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < 1 << bits:
        raise ValueError(f"indices from {indices.min()} to {indices.max()} do not fit {bits} bits")
    places = np.arange(bits - 1, -1, -1, dtype=np.uint16)
    parts = []
    for start in range(0, len(indices), CHUNK):
        some = indices[start : start + CHUNK].astype(np.uint16)
        parts.append(np.packbits((some[:, None] >> places & 1).astype(np.uint8)).tobytes())
    return b"".join(parts)


def unpack_bits(data: bytes, count: int, bits: int, what: str = "indices") -> Int[np.ndarray, " m"]:
    """The `count` indices (int64) in `data`. Raises CollectionError, naming `what`, where they do not fit the bytes."""
    _check_width(bits)
    expected = packed_bytes(count, bits)
    if len(data) != expected:
        raise CollectionError(f"{what}: {len(data)} bytes where {count} indices of {bits} bits take {expected}")
    spare = expected * 8 - count * bits
    if spare and data[-1] & (1 << spare) - 1:
        raise CollectionError(f"{what}: bits are set after the last index")
    indices = np.empty(count, np.int64)
    packed = np.frombuffer(data, np.uint8)
    values = 1 << np.arange(bits - 1, -1, -1, dtype=np.int32)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        some = np.unpackbits(packed[start * bits // 8 :], count=size * bits)
        indices[start : start + size] = some.reshape(size, bits).astype(np.int32) @ values
    return indices


def _check_width(bits: int) -> None:
    if not 1 <= bits <= WIDEST:
        raise ValueError(f"indices of {bits} bits: from 1 to {WIDEST}")
