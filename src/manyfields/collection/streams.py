"""Octree objects as files of their own (docs/vq_stream.md): written from a collection, read and rendered from a prefix.

    collection ──► stream_of ──► FILE.vq ──► first N bytes ──► read_stream ──► picture

A file has the network of its collection inside, and all else that rendering needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.collection.objects import StoredObject, render_code, stored_sampler
from manyfields.compression.octree_codec import octree_of
from manyfields.compression.vq_stream import VqLevel, VqObject, decode_vq, encode_vq, read_header
from manyfields.errors import CollectionError, ConfigError
from manyfields.fields import (
    OctreeFamily,
    QuantisedLevel,
    QuantisedOctreeCodes,
    family_config,
    family_from_config,
)
from manyfields.latents import Pictures, SharedPart
from manyfields.rendering import Sampler

NETWORK_BITS = 8


def stream_of(item: StoredObject, level: int | None = None, network_bits: int = NETWORK_BITS) -> bytes:
    """The file of an object: network, then its first `level` levels (all when None).

    `network_bits` of each of the network's numbers: 8, with a scale for every 64 of them, or 16 (float16). Raises CollectionError where the collection has no octrees, or the object has features and no codebooks.
    """
    collection, entry = item.collection, item.entry
    family = collection.shared_part.family
    where = f"{collection.path}: object {entry.id!r}"
    if not isinstance(family, OctreeFamily):
        raise CollectionError(f"{where} is no octree: streams are of octrees with codebooks (fit --family octree)")
    code = item.code(level)
    if not isinstance(code, QuantisedOctreeCodes):
        raise CollectionError(f"{where} has features without codebooks: fit with bits (--bits 6) to stream it")
    config = {
        "id": entry.id,
        "family": family_config(family),
        "bounds": torch.as_tensor(entry.bounds).flatten().tolist(),
        "sampler": asdict(stored_sampler(collection)),
    }
    present = zip(code.trees[0].voxels, code.levels[0], strict=True)
    levels = tuple(VqLevel(voxels, each.indices, each.codebook) for voxels, each in present if len(voxels))
    network = torch.cat([value.flatten() for value in _network(family).values()])
    return encode_vq(VqObject(family.config.first, levels, network, config, network_bits), entropy=True)


def read_stream(source: Path | str | bytes, size: int | None = None) -> StreamedObject:
    """The object in a file, or in the bytes of one; `size`: of its first `size` bytes, as far as levels are whole.

    Raises CollectionError: for a header, a network or a level that is cut short or damaged, naming it; where `size`
    bytes hold not even the first level; and for a stream that says itself nothing of how to render it.
    """
    name = "the stream" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        if size is not None:
            data = _whole_levels(data, size)
        return StreamedObject(decode_vq(data))
    except CollectionError as error:
        raise CollectionError(f"{name}: {error}") from error


class StreamedObject:
    """One octree object with its network, of as many levels as were read."""

    def __init__(self, item: VqObject) -> None:
        """Raises CollectionError where the config does not say how to render it, or levels do not fit it."""
        if not item.levels:
            raise CollectionError("it ends before its first level")
        try:
            family = family_from_config(_member(item.config, "family", dict))
            self.sampler = Sampler(**_member(item.config, "sampler", dict))
        except (ConfigError, TypeError) as error:
            raise CollectionError(f"its config is not one to render by ({error})") from error
        if not isinstance(family, OctreeFamily):
            raise CollectionError("its config is that of another family than octrees")
        self.id = _member(item.config, "id", str)
        self.bounds = _bounds(_member(item.config, "bounds", list))
        _load_network(family, item.network)
        self.shared: SharedPart[OctreeFamily] = SharedPart(family, None).eval().requires_grad_(False)
        self.code = _code(item, family)
        self.levels = len(item.levels)
        """How many levels were read."""
        self._guides: dict[int | None, Tensor | None] = {}

    @torch.no_grad()
    def render(self, cameras: Cameras, level: int | None = None, sampler: Sampler | None = None) -> Pictures:
        """Render views (V,) from the first `level` levels (all that were read when None), as stored objects render."""
        bounds = self.bounds[None]
        if level not in self._guides:
            self._guides[level] = self.shared.guide(self.code, bounds, level)
        return render_code(self.shared, self.code, self._guides[level], cameras, bounds, sampler or self.sampler, level)


def _whole_levels(data: bytes, size: int) -> bytes:
    """The longest part of the first `size` bytes that ends where a level does. A level that is damaged stays in it."""
    if size < 1:
        raise CollectionError(f"{size} bytes were asked for; ask for at least 1")
    header = read_header(data[:size])
    ends = header.ends()[1:]
    if not ends or min(size, len(data)) < ends[0]:
        needed = f"; the first level ends at byte {ends[0]:,}" if ends else ", and there are none"
        raise CollectionError(f"its first {min(size, len(data)):,} bytes hold no whole level{needed}")
    return data[: max(end for end in ends if end <= min(size, len(data)))]


def _network(family: OctreeFamily) -> dict[str, Tensor]:
    """The tensors whose numbers are the network of a stream, in order."""
    return {name: tensor.detach() for name, tensor in sorted(family.named_parameters())}


def _load_network(family: OctreeFamily, values: Float[Tensor, " p"]) -> None:
    parameters = _network(family)
    expected = sum(parameter.numel() for parameter in parameters.values())
    if len(values) != expected:
        raise CollectionError(f"its network has {len(values)} numbers, its config asks for {expected}")
    parts = values.split([parameter.numel() for parameter in parameters.values()])
    for parameter, part in zip(parameters.values(), parts, strict=True):
        parameter.copy_(part.view(parameter.shape))


def _code(item: VqObject, family: OctreeFamily) -> QuantisedOctreeCodes:
    config = family.config
    if item.first != config.first or len(item.levels) > len(config.levels):
        raise CollectionError(f"levels from {item.first} on, but its config has {config.first} to {config.last}")
    tree = octree_of([level.voxels.numpy() for level in item.levels], config)
    nothing = QuantisedLevel(torch.zeros(0, dtype=torch.int64), torch.zeros(0, config.features))
    levels = [nothing] * len(config.levels)
    for row, level in enumerate(item.levels):
        if len(level.indices) != tree.corner_counts[row] or level.codebook.shape[1] != config.features:
            raise CollectionError(
                f"level {config.first + row}: {len(level.indices)} corners with {level.codebook.shape[1]} features, "
                f"its octree has {tree.corner_counts[row]}, its config {config.features}"
            )
        levels[row] = QuantisedLevel(level.indices, level.codebook)
    return QuantisedOctreeCodes((tree,), (tuple(levels),))


def _member(config: Mapping[str, Any], name: str, kind: type) -> Any:
    value = config.get(name)
    if not isinstance(value, kind):
        raise CollectionError(f"its config has no {name!r}: it does not say how to render it")
    return value


def _bounds(values: list[Any]) -> Float[Tensor, "2 3"]:
    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(values) != 6 or len(numbers) != 6 or not all(numbers[i] < numbers[i + 3] for i in range(3)):
        raise CollectionError("its bounds are not the low and the high corner of a box")
    return torch.tensor(numbers, dtype=torch.float32).view(2, 3)
