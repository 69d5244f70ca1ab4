"""Codes of octree objects to layers, one a level, and back (docs/reference/format.md, "Layers of the codec octree").

    | 16 bytes: how, and how much | topology | codebook, indices   or   features |

Any first few layers are an object with fewer levels.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from manyfields.compression.bits import pack_bits, packed_bytes, unpack_bits
from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.halves import from_halves, to_halves
from manyfields.errors import CollectionError
from manyfields.families.codec import Codec, Fitted, PartTable, StoredCodec
from manyfields.families.octree.codes import OctreeCodes, QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.stream.sizes import LevelSizes, size_table_of
from manyfields.families.octree.stream.stream import CODED, MOST_CORNERS, PACKED, WIDEST
from manyfields.families.octree.stream.tables import table_of_objects
from manyfields.families.octree.stream.topology import decode_level, encode_topology
from manyfields.families.octree.tree import Levels, Octree
from manyfields.fitting.progress import Progress, silent

HALVES = 2
START = struct.Struct("<BBHIII")


@dataclass(frozen=True)
class LayerStart:
    """The first bytes of a layer: how values are kept, bits of an index, voxels, corners, bytes of the topology."""

    coding: int
    bits: int
    voxels: int
    corners: int
    topology: int

    @staticmethod
    def read(data: bytes, features: int, level: int) -> "LayerStart":
        """Checked against the size of the layer. Raises CollectionError, naming the level."""
        if len(data) < START.size:
            raise CollectionError(f"level {level}: cut short, {len(data)} bytes are no layer")
        coding, bits, zero, voxels, corners, topology = START.unpack_from(data)
        start = LayerStart(coding, bits, voxels, corners, topology)
        known = coding == HALVES and not bits or coding in (PACKED, CODED) and 1 <= bits <= WIDEST
        if not known or zero:
            raise CollectionError(f"level {level}: values of {bits} bits, coding {coding}: not known here")
        if corners > min(8 * voxels, (2**level + 1) ** 3, MOST_CORNERS):
            raise CollectionError(f"level {level}: {corners} corners of {voxels} voxels")
        left = len(data) - START.size - topology - start.codebook(features)
        if left < 0 or (coding != CODED and left != start.plain(features)):
            raise CollectionError(f"level {level}: {len(data)} bytes do not hold {voxels} voxels and {corners} corners")
        return start

    def codebook(self, features: int) -> int:
        """Bytes of the codebook."""
        return 2 * features << self.bits if self.bits else 0

    def plain(self, features: int) -> int:
        """Bytes of indices, or of features, without entropy coding."""
        return packed_bytes(self.corners, self.bits) if self.bits else 2 * features * self.corners


class OctreeCodec(Codec[OctreeCodes | QuantisedOctreeCodes]):
    """Codes of a family of octree fields to layers: float16 features, or codebooks and indices.

    With `entropy`, indices of a level are entropy coded where that makes them smaller.
    """

    name: ClassVar[str] = "octree"
    stored_as: ClassVar[str | None] = None
    start = START.size
    """Bytes of a layer before its topology."""

    def __init__(self, config: OctreeConfig, *, entropy: bool = True) -> None:
        self.config = config
        self.entropy = entropy

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config)

    def encode(
        self,
        codes: OctreeCodes | QuantisedOctreeCodes,
        objects: Fitted | None = None,
        progress: Progress = silent,
    ) -> list[list[bytes]]:
        """Per object its layers; levels without voxels have none.

        Values beyond float16's range are clamped to it; NaN raises CollectionError.
        """
        return [self._encode(codes[row]) for row in range(len(codes))]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> OctreeCodes | QuantisedOctreeCodes:
        """Codes (B) from the layers of each object; levels whose layers are not there have no voxels.

        Quantised where all layers are, else with a table of features. Raises CollectionError, naming the level, where a
        layer is cut short or contradicts itself.
        """
        trees, levels = zip(*(self._decode(layers) for layers in objects), strict=True)
        if all(isinstance(level, QuantisedLevel) for each in levels for level in each):
            return QuantisedOctreeCodes(trees, levels)
        tables = [level.features if isinstance(level, QuantisedLevel) else level for each in levels for level in each]
        return OctreeCodes(trees, torch.cat(tables))

    def sizes(self, layers: Sequence[bytes]) -> tuple[LevelSizes, ...]:
        """What the parts of an object's layers take; nothing is decoded. Raises CollectionError."""
        self._check_count(layers)
        found = []
        for level, data in zip(self.config.levels, layers, strict=False):
            start, features = LayerStart.read(data, self.config.features, level), self.config.features
            codebook = start.codebook(features)
            found.append(
                LevelSizes(
                    level=level,
                    voxels=start.voxels,
                    corners=start.corners,
                    bits=start.bits or 16 * features,
                    topology=start.topology,
                    codebook=codebook,
                    indices=len(data) - START.size - start.topology - codebook,
                    packed=start.plain(features),
                    uncompressed=2 * features * start.corners,
                )
            )
        return tuple(found)

    def table(self, objects: Sequence[Sequence[bytes]], network: int) -> PartTable:
        tables = [size_table_of(self.sizes(layers), network, self.start) for layers in objects]
        return table_of_objects(tables, self.config.levels, network)

    def _encode(self, codes: OctreeCodes | QuantisedOctreeCodes) -> list[bytes]:
        """The layers of one object (B = 1)."""
        tree = codes.trees[0]
        voxels = [voxels.cpu().numpy() for voxels in tree.voxels if len(voxels)]
        values: Sequence[QuantisedLevel | Tensor]
        if isinstance(codes, QuantisedOctreeCodes):
            values = codes.levels[0]
        else:
            values = codes.features.split(list(tree.corner_counts))
        layers = []
        parts = encode_topology(voxels, tree.first)
        for row, (topology, codes_of_level) in enumerate(zip(parts, voxels, strict=True)):
            level, value = tree.first + row, values[row]
            if isinstance(value, QuantisedLevel):
                coding, bits, body = self._indices(value, level)
            else:
                coding, bits, body = HALVES, 0, to_halves(value, f"features of level {level}")
            counts = len(codes_of_level), tree.corner_counts[row], len(topology)
            layers.append(START.pack(coding, bits, 0, *counts) + topology + body)
        return layers

    def _indices(self, value: QuantisedLevel, level: int) -> tuple[int, int, bytes]:
        """How indices are kept, their bits, and codebook and indices as bytes."""
        bits, symbols = value.bits, value.indices.cpu().numpy()
        if len(value.codebook) != 1 << bits or bits > WIDEST:
            raise ValueError(f"level {level}: a codebook of {len(value.codebook)} entries: 2^b, b from 1 to {WIDEST}")
        codebook = to_halves(value.codebook, f"the codebook of level {level}")
        coding, indices = PACKED, pack_bits(symbols, bits)
        if self.entropy and len(coded := encode_symbols(symbols, 1 << bits)) < len(indices):
            coding, indices = CODED, coded
        return coding, bits, codebook + indices

    def _decode(self, layers: Sequence[bytes]) -> tuple[Octree, tuple[QuantisedLevel | Tensor, ...]]:
        """One object: its octree, and what the corners of each level have."""
        self._check_count(layers)
        features = self.config.features
        voxels: list[np.ndarray] = []
        starts = []
        for level, data in zip(self.config.levels, layers, strict=False):
            start = LayerStart.read(data, features, level)
            part = data[START.size : START.size + start.topology]
            voxels.append(decode_level(voxels[-1] if voxels else None, part, start.voxels, level))
            starts.append(start)
        tree = octree_of(voxels, self.config)
        values: list[QuantisedLevel | Tensor] = []
        for level, start, data, corners in zip(self.config.levels, starts, layers, tree.corner_counts, strict=False):
            if corners != start.corners:
                raise CollectionError(f"level {level}: its voxels have {corners} corners, not {start.corners}")
            values.append(self._values(data[START.size + start.topology :], start, level))
        quantised = all(isinstance(value, QuantisedLevel) for value in values)
        for _ in range(len(values), len(self.config.levels)):
            nothing = torch.zeros(0, features)
            values.append(QuantisedLevel(torch.zeros(0, dtype=torch.int64), nothing) if quantised else nothing)
        return tree, tuple(values)

    def _values(self, body: bytes, start: LayerStart, level: int) -> QuantisedLevel | Tensor:
        features = self.config.features
        if start.coding == HALVES:
            return torch.from_numpy(from_halves(body, f"features of level {level}").reshape(-1, features))
        size = start.codebook(features)
        codebook = from_halves(body[:size], f"codebook of level {level}").reshape(-1, features)
        what = f"indices of level {level}"
        if start.coding == PACKED:
            indices = unpack_bits(body[size:], start.corners, start.bits, what)
        else:
            indices = decode_symbols(body[size:], start.corners, 1 << start.bits, what=what)
        return QuantisedLevel(torch.from_numpy(indices), torch.from_numpy(codebook))

    def _check_count(self, layers: Sequence[bytes]) -> None:
        if not 1 <= len(layers) <= len(self.config.levels):
            raise CollectionError(f"an object has {len(layers)} layers, its family {len(self.config.levels)}")


def octree_of(voxels: Sequence[np.ndarray], config: Levels) -> Octree:
    """An octree of the family from the voxels of its first levels; the others have none. Raises CollectionError."""
    if not len(voxels) or not len(voxels[0]):
        raise CollectionError(f"level {config.first}: an octree needs at least one voxel, and there is none")
    absent = [torch.zeros(0, dtype=torch.int64)] * (len(config.levels) - len(voxels))
    return Octree.of_voxels([torch.from_numpy(codes) for codes in voxels] + absent, config.first)
