"""The frame around a scene in transform coding (`checked_parts`), which starts with sizes, box and map.

Version 1 has the parts of the paper's codec. Version 2 has a byte of flags, each of which adds or leaves out parts.
"""

import struct
from collections.abc import Mapping

from manyfields.compression.checked_parts import header_size, join_parts, sizes_of_parts, split_parts
from manyfields.errors import CollectionError

MAGIC = b"MFTC"
VERSION, VERSION_WITH_FLAGS = 1, 2
START = struct.Struct("<4s4B6H22f")
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
HEADER = header_size(START.size, len(PARTS))
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
    start = START.pack(MAGIC, VERSION_WITH_FLAGS if flags else VERSION, *bits, flags, *sides, *numbers)
    return join_parts(start, parts)


def unpack_scene(data: bytes) -> dict[str, bytes]:
    """The parts by name. Raises CollectionError for damage, naming the part that has it."""
    return split_parts(data, START.size, _names(data))


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    return sizes_of_parts(data, START.size, _names(data))


def _names(data: bytes) -> tuple[str, ...]:
    """The parts that the flags of a header speak of. Raises CollectionError for what is not known."""
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
    return names_of(flags)
