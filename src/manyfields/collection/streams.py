"""Stored objects as files of their own, which render from a prefix.

    collection ──► stream_of ──► FILE.vq ──► first N bytes ──► read_stream ──► picture

A file has the network of its collection inside, and all else that rendering needs. What the bytes are is up to the
family (octrees: docs/reference/vq_stream.md).
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
from manyfields.families.codec import PartTable
from manyfields.families.registry import FAMILIES, family_config, family_from_config, family_of
from manyfields.families.stream_form import StreamForm, member
from manyfields.rendering import Occupancy, Sampler
from manyfields.shared_part import Pictures, SharedPart, render_code

NETWORK_BITS = 8


def stream_of(item: StoredObject, level: int | None = None, network_bits: int = NETWORK_BITS) -> bytes:
    """The file of an object: network, then its first `level` levels (all when None).

    `network_bits` of each of the network's numbers: 8, with a scale for every 64 of them, or 16 (float16). Raises
    CollectionError where the family has no such files, or the object has features and no codebooks.
    """
    collection, entry = item.collection, item.entry
    shared = collection.shared_part
    where = f"{collection.path}: object {entry.id!r}"
    row = family_of(shared)
    if row.stream is None:
        known = ", ".join(each.name for each in FAMILIES.values() if each.stream is not None)
        raise CollectionError(f"{where} is of the family {row.name}: streams are of {known} (`manyfields fit --help`)")
    config = {
        "id": entry.id,
        "family": family_config(shared.family),
        "bounds": torch.as_tensor(entry.bounds).flatten().tolist(),
        "sampler": asdict(stored_sampler(collection)),
    }
    code = item.code(level)
    try:
        return row.stream.write(shared.family, code, config, network_bits)
    except CollectionError as error:
        raise CollectionError(f"{where} {error}") from error


def parts_of_stream(data: bytes) -> PartTable:
    """What the parts of a file take. Raises CollectionError where its header is damaged."""
    return _form().table(data)


def read_stream(source: Path | str | bytes, size: int | None = None) -> StreamedObject:
    """The object in a file, or in the bytes of one; `size`: of its first `size` bytes, as far as levels are whole.

    Raises CollectionError: for a header, a network or a level that is cut short or damaged, naming it; where `size`
    bytes hold not even the first level; and for a stream that says itself nothing of how to render it.
    """
    name = "the stream" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        return StreamedObject(data, size, _form())
    except CollectionError as error:
        raise CollectionError(f"{name}: {error}") from error


class StreamedObject:
    """One object with its network, of as many levels as were read."""

    def __init__(self, data: bytes, size: int | None, form: StreamForm) -> None:
        """Raises CollectionError where the config does not say how to render it, or levels do not fit it."""
        content = form.read(data, size)
        try:
            network = family_from_config(member(content.config, "family", dict))
            self.sampler = Sampler(**member(content.config, "sampler", dict))
        except (ConfigError, TypeError) as error:
            raise CollectionError(f"its config is not one to render by ({error})") from error
        self.shared: SharedPart[Any] = SharedPart(network, None).eval().requires_grad_(False)
        if family_of(self.shared).stream is not form:
            raise CollectionError("its config is that of another family than its bytes")
        self.id = member(content.config, "id", str)
        self.bounds = _bounds(member(content.config, "bounds", list))
        self.code = form.codes(content, network)
        self.levels = len(content.levels)
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


def _form() -> StreamForm:
    """The one format that there is."""
    return next(row.stream for row in FAMILIES.values() if row.stream is not None)


def _bounds(values: list[Any]) -> Float[Tensor, "2 3"]:
    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(values) != 6 or len(numbers) != 6 or not all(numbers[i] < numbers[i + 3] for i in range(3)):
        raise CollectionError("its bounds are not the low and the high corner of a box")
    return torch.tensor(numbers, dtype=torch.float32).view(2, 3)
