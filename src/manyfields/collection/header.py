"""The header of a safetensors file, read with limits: no size that a file claims is believed before it is checked."""

import math
from dataclasses import dataclass
from typing import Any, BinaryIO

from manyfields.collection.manifest import parse_json
from manyfields.errors import CollectionError

ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


@dataclass(frozen=True)
class TensorPlace:
    """A tensor's dtype (safetensors name), shape, and its first byte and the byte after its last in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    tensors: dict[str, TensorPlace]
    metadata: dict[str, str]


def read_header(file: BinaryIO, size: int, limit: int, where: str) -> Header:
    """Read and check the header of a safetensors file of `size` bytes.

    `limit`: longest header in bytes that is read at all. Raises CollectionError where the length lies, the JSON is
    broken, or the tensors do not fill the rest of the file exactly, without gaps or overlaps.
    """
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or length > size - 8:
        raise CollectionError(f"{where}: its header claims {length} bytes in a file of {size}; it is damaged")
    if length > limit:
        raise CollectionError(f"{where}: its header claims {length} bytes, above the limit of {limit}; not read")
    value = parse_json(file.read(length), f"{where}: its header")
    if not isinstance(value, dict):
        raise CollectionError(f"{where}: its header is not a JSON object")
    metadata = value.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise CollectionError(f"{where}: the metadata of its header are not strings")
    tensors = {name: _place(name, place, 8 + length, where) for name, place in value.items()}
    position = 8 + length
    for place in sorted(tensors.values(), key=lambda place: (place.begin, place.end)):
        if place.begin != position:
            raise CollectionError(f"{where}: its tensors overlap or leave gaps at byte {position}")
        position = place.end
    if position != size:
        raise CollectionError(f"{where}: its tensors end at byte {position} of {size}")
    return Header(tensors, metadata)


def _place(name: str, value: Any, start: int, where: str) -> TensorPlace:
    try:
        dtype, shape, (begin, end) = value["dtype"], value["shape"], value["data_offsets"]
        numbers = [*shape, begin, end]
        item = ITEM_BYTES[dtype]
        plain = len(shape) <= 16 and all(type(number) is int and 0 <= number < 2**53 for number in numbers)
    except (TypeError, KeyError, ValueError) as error:
        raise CollectionError(f"{where}: its header describes tensor {name[:80]!r} in an unknown way") from error
    if not plain or begin > end or math.prod(shape) * item != end - begin:
        raise CollectionError(f"{where}: shape and byte range of tensor {name[:80]!r} contradict each other")
    return TensorPlace(dtype, tuple(shape), start + begin, start + end)
