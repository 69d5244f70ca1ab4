"""Hulls to bytes: one bit a cell in the order x, y, z, packed high bit first, deflated (zlib)."""

import math
import zlib

import numpy as np
from jaxtyping import UInt8

from manyfields.errors import CollectionError

USUAL_SHARE = 16  # of the packed bits of vehicles about this part is left


def usual_bytes(shape: tuple[int, ...]) -> int:
    """What a hull takes, about: for forecasts."""
    return max(1, math.prod(shape) // 8 // USUAL_SHARE)


def encode_hull(hull: UInt8[np.ndarray, "G G G"]) -> bytes:
    return zlib.compress(np.packbits(hull.reshape(-1) > 0).tobytes(), 9)


def decode_hull(data: bytes, shape: tuple[int, ...]) -> UInt8[np.ndarray, "G G G"]:
    """Zeros and ones. Raises CollectionError where the bytes are damaged, or hold a hull of another size."""
    cells = math.prod(shape)
    expected = (cells + 7) // 8
    inflater = zlib.decompressobj()
    try:
        packed = inflater.decompress(data, expected + 1)  # never more than that, whatever the bytes claim
    except zlib.error as error:
        raise CollectionError(f"the layer of the hull is damaged ({error})") from error
    if len(packed) != expected or not inflater.eof or inflater.unused_data:
        raise CollectionError(f"the layer of the hull does not hold {expected} bytes of cells")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=cells).reshape(shape)
