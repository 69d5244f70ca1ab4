"""The frame around a scene in transform coding: a header that tells sizes and checksums of its parts.

    | start: sizes, box, map | size and CRC32C of each part | CRC32C of all before | part | part | ...

Version 1 has the parts of the paper's codec. Version 2 has a byte of flags, each of which adds or leaves out parts.
"""

import struct
from collections.abc import Mapping

import google_crc32c

from manyfields.errors import CollectionError

MAGIC = b"MFTC"
VERSION, VERSION_WITH_FLAGS = 1, 2
START = struct.Struct("<4s4B6H22f")
ENTRY = struct.Struct("<II")
CHECKSUM = struct.Struct("<I")
PARTS = ("alpha mask", "vectors", "decoder", "tables", "masks", "latents")
HYPER_PARTS = ("hyper decoder", "hyper tables", "hyper masks", "hyper latents")
NETWORK_PART = "own network"
HYPERPRIOR = 1
"""Flag: the tables are those of classes, which hyper-latents tell for each latent."""
OWN_NETWORK = 2
"""Flag: the scene has a network of its own, in the place of that of the shared part."""
COMMON = 4
"""Flag: decoder and tables are those of the codec's file, not of the scene. Not together with a hyperprior."""
COMMON_PARTS = ("decoder", "tables")
FLAGS = HYPERPRIOR | OWN_NETWORK | COMMON
HEADER = START.size + len(PARTS) * ENTRY.size + CHECKSUM.size
"""Bytes of the header of version 1."""


def names_of(flags: int) -> tuple[str, ...]:
    """The parts of a scene with these flags, in the order of the file."""
    own = tuple(name for name in PARTS if not (flags & COMMON and name in COMMON_PARTS))
    return own + (HYPER_PARTS if flags & HYPERPRIOR else ()) + ((NETWORK_PART,) if flags & OWN_NETWORK else ())


def pack_scene(
    bits: tuple[int, int], sides: tuple[int, ...], numbers: list[float], parts: Mapping[str, bytes]
) -> bytes:
    """The bytes of a scene. `bits`: of decoder and vectors; `parts`: those of some flags, in order."""
    flags = next(flags for flags in range(FLAGS + 1) if names_of(flags) == tuple(parts))
    head = START.pack(MAGIC, VERSION_WITH_FLAGS if flags else VERSION, *bits, flags, *sides, *numbers)
    head += b"".join(ENTRY.pack(len(part), google_crc32c.value(part)) for part in parts.values())
    return b"".join([head, CHECKSUM.pack(google_crc32c.value(head)), *parts.values()])


def unpack_scene(data: bytes) -> dict[str, bytes]:
    """The parts by name. Raises CollectionError for damage, naming the part that has it."""
    entries = _entries(data)
    parts, start = {}, _header_size(len(entries))
    for name, (size, checksum) in entries.items():
        part = data[start : start + size]
        if len(part) < size:
            raise CollectionError(f"{name}: cut short, {len(part)} of {size} bytes are there")
        if google_crc32c.value(part) != checksum:
            raise CollectionError(f"{name}: damaged, its CRC32C is another")
        parts[name], start = part, start + size
    if len(data) > start:
        raise CollectionError(f"{len(data) - start} bytes after the last part")
    return parts


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    entries = _entries(data)
    return {"header": _header_size(len(entries)), **{name: size for name, (size, _) in entries.items()}}


def _header_size(parts: int) -> int:
    return START.size + parts * ENTRY.size + CHECKSUM.size


def _entries(data: bytes) -> dict[str, tuple[int, int]]:
    """Size and checksum of each part, from a header that was found whole."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a scene in transform coding: it does not start with MFTC")
    if len(data) < START.size:
        raise CollectionError(f"the header: cut short, {len(data)} of {HEADER} bytes are there")
    version, flags = data[len(MAGIC)], data[len(MAGIC) + 3]
    if version not in (VERSION, VERSION_WITH_FLAGS):
        raise CollectionError(f"a scene of version {version}; this manyfields reads 1 and 2, use a newer one")
    known = not flags & ~FLAGS and flags & (HYPERPRIOR | COMMON) != HYPERPRIOR | COMMON
    if (flags != 0) != (version == VERSION_WITH_FLAGS) or not known:
        raise CollectionError(f"the header: flags {flags} of version {version} are not known here; use a newer one")
    names = names_of(flags)
    size = _header_size(len(names))
    if len(data) < size:
        raise CollectionError(f"the header: cut short, {len(data)} of {size} bytes are there")
    if google_crc32c.value(data[: size - CHECKSUM.size]) != CHECKSUM.unpack_from(data, size - CHECKSUM.size)[0]:
        raise CollectionError("the header: damaged, its CRC32C is another")
    return {name: ENTRY.unpack_from(data, START.size + n * ENTRY.size) for n, name in enumerate(names)}
