"""Octrees with codebooks as files (docs/reference/vq_stream.md), as `collection.streams` asks for them."""

from collections.abc import Mapping
from typing import Any

import torch

from manyfields.errors import CollectionError
from manyfields.families.codec import PartTable
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeFamily
from manyfields.families.octree.stream.parts import (
    DISTANCES,
    code_of,
    levels_of,
    load_network,
    network_of,
    whole_levels,
)
from manyfields.families.octree.stream.stream import VqObject, decode_vq, encode_vq
from manyfields.families.octree.stream.tables import table_of_file
from manyfields.families.stream_form import member


class OctreeStream:
    """The file of an octree object: its network, its levels with their codebooks."""

    def write(
        self,
        network: OctreeFamily,
        codes: OctreeCodes | QuantisedOctreeCodes,
        config: Mapping[str, Any],
        network_bits: int,
    ) -> bytes:
        if not isinstance(codes, QuantisedOctreeCodes):
            raise CollectionError("has features without codebooks: fit with bits (--bits 6) to stream it")
        levels = levels_of(codes.trees[0], codes.levels[0])
        first = network.config.first
        return encode_vq(VqObject(first, levels, network_of(network), config, network_bits), entropy=True)

    def read(self, data: bytes, size: int | None) -> VqObject:
        item = decode_vq(data if size is None else whole_levels(data, size))
        if not item.levels:
            raise CollectionError("it ends before its first level")
        if member(item.config, "family", dict).get("family") == DISTANCES:
            raise CollectionError(
                "it holds a surface, as signed distances, and no colours to render; "
                "`manyfields extract FILE.vq OUT.glb` writes it as a mesh"
            )
        return item

    def table(self, data: bytes) -> PartTable:
        return table_of_file(data)

    @torch.no_grad()
    def codes(self, content: VqObject, network: OctreeFamily) -> QuantisedOctreeCodes:
        load_network(network, content.network)
        return code_of(content, network.config)
