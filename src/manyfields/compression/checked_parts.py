"""Named parts of a file behind a header that tells their sizes and checksums, so that damage is found and named.

| start | size and CRC32C of each part | CRC32C of all before | part | part | ...
"""

import struct
from collections.abc import Mapping, Sequence

import google_crc32c

from manyfields.errors import CollectionError

ENTRY = struct.Struct("<II")
CHECKSUM = struct.Struct("<I")


def header_size(start: int, count: int) -> int:
    """Bytes before the first of `count` parts, where a header starts with `start` bytes of its own."""
    return start + count * ENTRY.size + CHECKSUM.size


def join_parts(start: bytes, parts: Mapping[str, bytes]) -> bytes:
    head = start + b"".join(ENTRY.pack(len(part), google_crc32c.value(part)) for part in parts.values())
    return b"".join([head, CHECKSUM.pack(google_crc32c.value(head)), *parts.values()])


def part_entries(data: bytes, start: int, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Size and checksum of each part, from a header that was found whole. Raises CollectionError."""
    size = header_size(start, len(names))
    if len(data) < size:
        raise CollectionError(f"the header: cut short, {len(data)} of {size} bytes are there")
    if google_crc32c.value(data[: size - CHECKSUM.size]) != CHECKSUM.unpack_from(data, size - CHECKSUM.size)[0]:
        raise CollectionError("the header: damaged, its CRC32C is another")
    return {name: ENTRY.unpack_from(data, start + n * ENTRY.size) for n, name in enumerate(names)}


def split_parts(data: bytes, start: int, names: Sequence[str]) -> dict[str, bytes]:
    """The parts by name. Raises CollectionError for damage, naming the part that has it."""
    parts, at = {}, header_size(start, len(names))
    for name, (size, checksum) in part_entries(data, start, names).items():
        part = data[at : at + size]
        if len(part) < size:
            raise CollectionError(f"{name}: cut short, {len(part)} of {size} bytes are there")
        if google_crc32c.value(part) != checksum:
            raise CollectionError(f"{name}: damaged, its CRC32C is another")
        parts[name], at = part, at + size
    if len(data) > at:
        raise CollectionError(f"{len(data) - at} bytes after the last part")
    return parts


def sizes_of_parts(data: bytes, start: int, names: Sequence[str]) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    entries = part_entries(data, start, names)
    return {"header": header_size(start, len(names)), **{name: size for name, (size, _) in entries.items()}}
