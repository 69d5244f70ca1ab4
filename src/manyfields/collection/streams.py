"""Octree objects as files of their own (docs/reference/vq_stream.md), which render from a prefix.

    collection ──► stream_of ──► FILE.vq ──► first N bytes ──► read_stream ──► picture

A file has the network of its collection inside, and all else that rendering needs.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.collection.objects import StoredObject
from manyfields.collection.shared_file import stored_sampler
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.octree.codes import QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeFamily
from manyfields.families.octree.stream.parts import (
    DISTANCES,
    code_of,
    levels_of,
    load_network,
    member,
    network_of,
    whole_levels,
)
from manyfields.families.octree.stream.stream import VqObject, decode_vq, encode_vq
from manyfields.families.registry import family_config, family_from_config
from manyfields.rendering import Occupancy, Sampler
from manyfields.shared_part import Pictures, SharedPart, render_code

NETWORK_BITS = 8


def stream_of(item: StoredObject, level: int | None = None, network_bits: int = NETWORK_BITS) -> bytes:
    """The file of an object: network, then its first `level` levels (all when None).

    `network_bits` of each of the network's numbers: 8, with a scale for every 64 of them, or 16 (float16). Raises
    CollectionError where the collection has no octrees, or the object has features and no codebooks.
    """
    collection, entry = item.collection, item.entry
    family = collection.shared_part.family
    where = f"{collection.path}: object {entry.id!r}"
    if not isinstance(family, OctreeFamily):
        raise CollectionError(f"{where} is no octree: streams are of octrees with codebooks (fit octree --bits 6)")
    code = item.code(level)
    if not isinstance(code, QuantisedOctreeCodes):
        raise CollectionError(f"{where} has features without codebooks: fit with bits (--bits 6) to stream it")
    config = {
        "id": entry.id,
        "family": family_config(family),
        "bounds": torch.as_tensor(entry.bounds).flatten().tolist(),
        "sampler": asdict(stored_sampler(collection)),
    }
    levels = levels_of(code.trees[0], code.levels[0])
    return encode_vq(VqObject(family.config.first, levels, network_of(family), config, network_bits), entropy=True)


def read_stream(source: Path | str | bytes, size: int | None = None) -> StreamedObject:
    """The object in a file, or in the bytes of one; `size`: of its first `size` bytes, as far as levels are whole.

    Raises CollectionError: for a header, a network or a level that is cut short or damaged, naming it; where `size`
    bytes hold not even the first level; and for a stream that says itself nothing of how to render it.
    """
    name = "the stream" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        if size is not None:
            data = whole_levels(data, size)
        return StreamedObject(decode_vq(data))
    except CollectionError as error:
        raise CollectionError(f"{name}: {error}") from error


class StreamedObject:
    """One octree object with its network, of as many levels as were read."""

    def __init__(self, item: VqObject) -> None:
        """Raises CollectionError where the config does not say how to render it, or levels do not fit it."""
        if not item.levels:
            raise CollectionError("it ends before its first level")
        stored = member(item.config, "family", dict)
        if stored.get("family") == DISTANCES:
            raise CollectionError(
                "it holds a surface, as signed distances, and no colours to render; "
                "`manyfields extract FILE.vq OUT.glb` writes it as a mesh"
            )
        try:
            family = family_from_config(stored)
            self.sampler = Sampler(**member(item.config, "sampler", dict))
        except (ConfigError, TypeError) as error:
            raise CollectionError(f"its config is not one to render by ({error})") from error
        if not isinstance(family, OctreeFamily):
            raise CollectionError("its config is that of another family than octrees")
        self.id = member(item.config, "id", str)
        self.bounds = _bounds(member(item.config, "bounds", list))
        load_network(family, item.network)
        self.shared: SharedPart[OctreeFamily] = SharedPart(family, None).eval().requires_grad_(False)
        self.code = code_of(item, family.config)
        self.levels = len(item.levels)
        """How many levels were read."""
        self._occupancies: dict[int | None, Occupancy | None] = {}

    @torch.no_grad()
    def render(self, cameras: Cameras, level: int | None = None, sampler: Sampler | None = None) -> Pictures:
        """Render views (V,) from the first `level` levels (all that were read when None), as stored objects render."""
        bounds = self.bounds[None]
        if level not in self._occupancies:
            self._occupancies[level] = self.shared.occupancy(self.code, bounds, level)
        held = self._occupancies[level]
        return render_code(self.shared, self.code, held, cameras, bounds, sampler or self.sampler, level)


def _bounds(values: list[Any]) -> Float[Tensor, "2 3"]:
    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(values) != 6 or len(numbers) != 6 or not all(numbers[i] < numbers[i + 3] for i in range(3)):
        raise CollectionError("its bounds are not the low and the high corner of a box")
    return torch.tensor(numbers, dtype=torch.float32).view(2, 3)
