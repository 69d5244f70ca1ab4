"""Codes shards: the layers of one wave of objects in a safetensors file.

    payload:  | layer 0 of object 0, 1, .. n-1 | layers 1.. of object 0 | layers 1.. of object 1 | ...

so that one request fetches layer 0 of a whole page of objects, and one more all that an object still lacks.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from manyfields.collection.header import read_header
from manyfields.errors import CollectionError

HEADER_LIMIT = 4096  # bytes; ours has about 170


@dataclass(frozen=True)
class ShardLayout:
    """Where the segments of a shard lie. `bounds` (S + 1,) int64: first byte in the file of every segment, and the
    byte after the last. A segment is one layer, in payload order."""

    objects: int
    bounds: np.ndarray


def payload_order(layer_counts: np.ndarray) -> np.ndarray:
    """Positions of the segments of a payload in the flat list of layers (object 0's layers, object 1's layers, ...).

    `layer_counts` (B,) int64, layers per object, each at least 1. Returns (S,) int64.
    """
    starts = np.cumsum(layer_counts) - layer_counts
    finer = np.ones(int(layer_counts.sum()), dtype=bool)
    finer[starts] = False
    return np.concatenate([starts, np.flatnonzero(finer)])


def encode_shard(objects: Sequence[Sequence[bytes]]) -> tuple[bytes, list[list[tuple[int, int]]]]:
    """Pack the layers of a wave of objects.

    Returns the bytes of the file, and for every object and layer the first byte and the byte after the last in it.
    """
    flat = [layer for layers in objects for layer in layers]
    order = payload_order(np.array([len(layers) for layers in objects], dtype=np.int64))
    offsets = np.zeros(len(flat) + 1, dtype="<i8")
    offsets[1:] = np.cumsum([len(flat[position]) for position in order])
    payload_bytes = int(offsets[-1])
    header = {
        "__metadata__": {"format": "manyfields-codes", "objects": str(len(objects))},
        "offsets": {"dtype": "I64", "shape": [offsets.size], "data_offsets": [0, offsets.nbytes]},
        "payload": {
            "dtype": "U8",
            "shape": [payload_bytes],
            "data_offsets": [offsets.nbytes, offsets.nbytes + payload_bytes],
        },
    }
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    prefix = len(text).to_bytes(8, "little") + text + offsets.tobytes()

    places: list[tuple[int, int]] = [(0, 0)] * len(flat)
    for segment, position in enumerate(order):
        places[position] = (len(prefix) + int(offsets[segment]), len(prefix) + int(offsets[segment + 1]))
    rest = iter(places)
    ranges = [[next(rest) for _ in layers] for layers in objects]
    return b"".join([prefix, *(flat[position] for position in order)]), ranges


def read_layout(file: BinaryIO, size: int, where: str) -> ShardLayout:
    """Read header and offsets of a codes shard of `size` bytes, but no payload.

    Raises CollectionError where they contradict each other or the size of the file.
    """
    header = read_header(file, size, HEADER_LIMIT, where)
    objects = header.metadata.get("objects", "")
    if header.metadata.get("format") != "manyfields-codes" or not (objects.isdecimal() and len(objects) < 16):
        raise CollectionError(f"{where}: is not a codes shard (its metadata do not say so)")
    kinds = {name: (place.dtype, len(place.shape)) for name, place in header.tensors.items()}
    if kinds != {"offsets": ("I64", 1), "payload": ("U8", 1)}:
        raise CollectionError(f"{where}: holds other tensors than offsets (int64) and payload (uint8)")
    place, payload = header.tensors["offsets"], header.tensors["payload"]
    file.seek(place.begin)
    offsets = np.frombuffer(file.read(place.end - place.begin), dtype="<i8").astype(np.int64)
    if offsets.size < 2 or offsets[0] != 0 or offsets[-1] != payload.end - payload.begin:
        raise CollectionError(f"{where}: its offsets do not span its payload")
    if (offsets[1:] <= offsets[:-1]).any():  # a comparison: a difference of lying int64 may wrap around
        segment = int(np.argmax(offsets[1:] <= offsets[:-1]))
        raise CollectionError(f"{where}: its offsets do not rise after segment {segment}")
    return ShardLayout(int(objects), offsets + payload.begin)
