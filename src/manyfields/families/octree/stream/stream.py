"""One octree object with codebooks as a file: header, network, then level after level (docs/reference/vq_stream.md).

    | header | network | topology, codebook, indices of level first | ... of level first + 1 | ...

The header tells all sizes and checksums, so every prefix that ends at a level's end is an object with fewer levels.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compression.bits import pack_bits, packed_bytes, unpack_bits
from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.network_bytes import BITS as NETWORK_BITS
from manyfields.compression.network_bytes import decode_network, encode_network, network_bytes
from manyfields.errors import CollectionError
from manyfields.families.octree.stream.topology import decode_level, encode_topology

PACKED, CODED = 0, 1
MOST_CORNERS = 1 << 26
MOST_CONFIG = (1 << 16) - 1
WIDEST = 12  # bits of an index


@dataclass(frozen=True)
class VqLevel:
    """One level: sorted Morton codes of voxels, an index for each corner, and the features the indices mean.

    >>> level = VqLevel(torch.tensor([0]), torch.zeros(8, dtype=torch.long), torch.ones(4, 2))
    >>> level.bits
    2
    """

    voxels: Int[Tensor, " n"]
    indices: Int[Tensor, " m"]
    codebook: Float[Tensor, "K k"]

    @property
    def bits(self) -> int:
        """Bits of an index: the codebook has 2^bits entries."""
        return max(len(self.codebook) - 1, 1).bit_length()


@dataclass(frozen=True)
class VqObject:
    """All of one object: levels first, first + 1, ..., the values of its network, and JSON on how to use them.

    >>> level = VqLevel(torch.tensor([0]), torch.zeros(8, dtype=torch.long), torch.ones(4, 2))
    >>> VqObject(1, (level,), torch.zeros(3)).network_bits
    16
    """

    first: int
    levels: tuple[VqLevel, ...]
    network: Float[Tensor, " p"]
    config: Mapping[str, Any] = field(default_factory=dict)
    network_bits: int = 16
    """Of each number of the network: 16 (float16), or 8 with a scale for every few (`network_bytes`)."""


@dataclass(frozen=True)
class LevelEntry:
    """What the header says of a level: sizes in bytes, and the CRC32C of topology, codebook and indices."""

    bits: int
    coding: int
    voxels: int
    corners: int
    topology: int
    indices: int
    checksums: tuple[int, int, int]

    def codebook(self, features: int) -> int:
        return 2 * features << self.bits


@dataclass(frozen=True)
class StreamHeader:
    first: int
    features: int
    network: int
    network_bits: int
    network_checksum: int
    config: dict[str, Any]
    levels: tuple[LevelEntry, ...]
    size: int

    @property
    def network_bytes(self) -> int:
        return network_bytes(self.network, self.network_bits)

    def ends(self) -> list[int]:
        """The byte after the network, then the byte after each level: where a file may be cut."""
        ends = [self.size + self.network_bytes]
        for level in self.levels:
            ends.append(ends[-1] + level.topology + level.codebook(self.features) + level.indices)
        return ends


def encode_vq(item: VqObject, *, entropy: bool = False) -> bytes:
    """The file of an object. With `entropy`, indices of a level are entropy coded where that makes them smaller.

    Raises ValueError where levels do not fit together, CollectionError for values that are NaN.

    >>> level = VqLevel(torch.tensor([0]), torch.zeros(8, dtype=torch.long), torch.ones(4, 2))
    >>> data = encode_vq(VqObject(1, (level,), torch.zeros(3)))
    >>> decode_vq(data).levels[0].codebook.shape
    torch.Size([4, 2])
    """
    features = _features_of(item)
    topology = encode_topology([level.voxels.cpu().numpy() for level in item.levels], item.first)
    if item.network_bits not in NETWORK_BITS:
        raise ValueError(f"a network of {item.network_bits} bits a number: 16 or 8")
    network = encode_network(item.network, item.network_bits)
    entries, body = [], [network]
    for number, (level, shape) in enumerate(zip(item.levels, topology, strict=True), item.first):
        symbols = level.indices.cpu().numpy()
        coding, indices = PACKED, pack_bits(symbols, level.bits)
        if entropy and len(coded := encode_symbols(symbols, 1 << level.bits)) < len(indices):
            coding, indices = CODED, coded
        parts = [shape, to_halves(level.codebook, f"the codebook of level {number}"), indices]
        sizes = len(level.voxels), len(level.indices), len(shape), len(indices)
        entries.append(ENTRY.pack(level.bits, coding, 0, *sizes, *map(google_crc32c.value, parts)))
        body += parts
    config = json.dumps(dict(item.config), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(config) > MOST_CONFIG:
        raise ValueError(f"a config of {len(config)} bytes: at most {MOST_CONFIG}")
    coding = NETWORK_BITS.index(item.network_bits)
    start = START.pack(MAGIC, VERSION, item.first, len(entries), features, len(config), coding, 0, len(item.network))
    head = start + b"".join(entries) + config + CHECKSUM.pack(google_crc32c.value(network))
    return b"".join([head, CHECKSUM.pack(google_crc32c.value(head)), *body])


def decode_vq(data: bytes, *, whole_levels: bool = False) -> VqObject:
    """The object in a file, or in a prefix of it that ends where a level ends.

    Raises CollectionError where the header or the network is cut short or damaged, and where a level is, naming it;
    with `whole_levels`, levels from the first one that is cut short or damaged on are left out instead.

    >>> level = VqLevel(torch.tensor([0]), torch.zeros(8, dtype=torch.long), torch.ones(4, 2))
    >>> data = encode_vq(VqObject(1, (level, level), torch.zeros(3)))
    >>> len(decode_vq(data).levels), len(decode_vq(data[:-1], whole_levels=True).levels)
    (2, 1)
    """
    header = read_header(data)
    part = _part(data, header.size, header.network_bytes, header.network_checksum, "the network")
    network = decode_network(part, header.network, header.network_bits)
    levels: list[VqLevel] = []
    ends = header.ends()
    for number, (entry, start) in enumerate(zip(header.levels, ends, strict=False)):
        if len(data) == start:
            break
        try:
            parents = levels[-1].voxels.numpy() if levels else None
            levels.append(_decode_level(data, start, entry, header.features, header.first + number, parents))
        except CollectionError:
            if not whole_levels:
                raise
            break
    else:
        if len(data) > ends[-1] and not whole_levels:
            raise CollectionError(f"{len(data) - ends[-1]} bytes after the last level")
    return VqObject(header.first, tuple(levels), network, header.config, header.network_bits)


def read_header(data: bytes) -> StreamHeader:
    """The header at the start of a file. Raises CollectionError."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a stream of an octree object: it does not start with MFVQ")
    if len(data) < START.size:
        raise CollectionError("the header is cut short")
    _, version, first, count, features, config_bytes, network_coding, zero, network = START.unpack_from(data)
    if version != VERSION:
        raise CollectionError(f"a stream of version {version}; this manyfields reads {VERSION}, use a newer one")
    table_end = START.size + count * ENTRY.size
    size = table_end + config_bytes + 2 * CHECKSUM.size
    if len(data) < size:
        raise CollectionError("the header is cut short")
    network_checksum, checksum = struct.unpack_from("<II", data, size - 8)
    if google_crc32c.value(data[: size - 4]) != checksum:
        raise CollectionError("the header is damaged: its CRC32C is another")
    if network_coding >= len(NETWORK_BITS) or zero:
        raise CollectionError(f"a network of coding {network_coding}: not known here, use a newer manyfields")
    try:
        config = json.loads(data[table_end : table_end + config_bytes])
    except (ValueError, RecursionError) as error:
        raise CollectionError(f"the config in the header is not JSON ({error})") from error
    if not isinstance(config, dict) or not features:
        raise CollectionError("the header has no features, or a config that is not a JSON object")
    levels = []
    for level in range(count):
        bits, coding, zero, voxels, corners, topology, indices, *checksums = ENTRY.unpack_from(
            data, START.size + level * ENTRY.size
        )
        if not 1 <= bits <= WIDEST or coding not in (PACKED, CODED) or zero:
            raise CollectionError(f"level {first + level}: indices of {bits} bits, coding {coding}: not known here")
        most = min(8 * voxels, (2 ** (first + level) + 1) ** 3, MOST_CORNERS)
        if corners > most or (coding == PACKED and indices != packed_bytes(corners, bits)):
            raise CollectionError(f"level {first + level}: {corners} corners in {indices} bytes, for {voxels} voxels")
        levels.append(LevelEntry(bits, coding, voxels, corners, topology, indices, tuple(checksums)))
    network_bits = NETWORK_BITS[network_coding]
    return StreamHeader(first, features, network, network_bits, network_checksum, config, tuple(levels), size)


def _decode_level(
    data: bytes, start: int, entry: LevelEntry, features: int, level: int, parents: Int[np.ndarray, " p"] | None
) -> VqLevel:
    size = entry.codebook(features)
    parts = []
    for name, length, checksum in zip(
        ("topology", "codebook", "indices"), (entry.topology, size, entry.indices), entry.checksums, strict=True
    ):
        parts.append(_part(data, start, length, checksum, f"{name} of level {level}"))
        start += length
    voxels = decode_level(parents, parts[0], entry.voxels, level)
    codebook = from_halves(parts[1], f"codebook of level {level}").reshape(-1, features)
    what = f"indices of level {level}"
    if entry.coding == PACKED:
        indices = unpack_bits(parts[2], entry.corners, entry.bits, what)
    else:
        indices = decode_symbols(parts[2], entry.corners, 1 << entry.bits, what=what)
    return VqLevel(torch.from_numpy(voxels), torch.from_numpy(indices), torch.from_numpy(codebook))


def _part(data: bytes, start: int, length: int, checksum: int, what: str) -> bytes:
    part = data[start : start + length]
    if len(part) < length:
        raise CollectionError(f"{what}: cut short, {max(len(part), 0)} of {length} bytes are there")
    if google_crc32c.value(part) != checksum:
        raise CollectionError(f"{what}: damaged, its CRC32C is another")
    return part


def _features_of(item: VqObject) -> int:
    """The number of features, after checks that levels fit the format."""
    widths = {level.codebook.shape[1] for level in item.levels}
    if len(widths) != 1 or not 1 <= min(widths) <= 255:
        raise ValueError(f"codebooks of {sorted(widths)} features: one number from 1 to 255 for all levels")
    for number, level in enumerate(item.levels, item.first):
        if not 1 <= level.bits <= WIDEST or len(level.codebook) != 1 << level.bits:
            raise ValueError(f"level {number}: {len(level.codebook)} entries of a codebook; 2^b, b from 1 to {WIDEST}")
        if len(level.indices) > min(8 * len(level.voxels), (2**number + 1) ** 3, MOST_CORNERS):
            raise ValueError(f"level {number}: {len(level.indices)} corners of {len(level.voxels)} voxels")
    return widths.pop()


MAGIC = b"MFVQ"
VERSION = 1
START = struct.Struct("<4sBBBBHBBI")
ENTRY = struct.Struct("<BBHIIIIIII")
CHECKSUM = struct.Struct("<I")
