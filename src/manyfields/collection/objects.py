"""Stored objects that render: what `open_collection(path)[id]` gives."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.collection.records import ObjectEntry
from manyfields.collection.shared_file import SharedFiles, stored_sampler
from manyfields.errors import CollectionError, ConfigError
from manyfields.families import registry
from manyfields.families.codec import Codec, StoredCodec
from manyfields.fields.codes import ObjectCodes
from manyfields.rendering import Occupancy, Sampler
from manyfields.shared_part import Pictures, SharedPart, render_code


class CodedFiles(SharedFiles, Protocol):
    """A collection, as its objects see it."""

    @property
    def properties(self) -> dict[str, Any]: ...
    @property
    def codec_config(self) -> dict[str, Any] | None: ...
    def codec_tensors(self) -> dict[str, Tensor]: ...
    @property
    def shared_part(self) -> SharedPart: ...
    @property
    def codec(self) -> Codec[Any]: ...
    def layers(self, id: str, count: int | None = None) -> list[bytes]: ...


def open_codec(collection: CodedFiles) -> Codec[Any]:
    """The codec of a collection: that of its codec file, else the first of its family. Raises CollectionError."""
    config = collection.codec_config
    stored = StoredCodec(config or {}, collection.properties.get("compressed", {}), collection.encoder)
    name = None if config is None else config.get("codec")
    if config is not None and not isinstance(name, str):
        raise CollectionError(f"{collection.path}: codec {name!r} is not known here; use a newer version")
    try:
        return registry.open_codec(collection.shared_part, name, collection.codec_tensors(), stored)
    except ConfigError as error:
        raise CollectionError(f"{collection.path}: {error}") from error
    except (CollectionError, ValueError) as error:
        raise CollectionError(f"{collection.path}: the codec cannot be built from its file ({error})") from error


class StoredObject:
    """One object of a collection; its bytes are read and decoded when it is first rendered."""

    def __init__(self, collection: CodedFiles, entry: ObjectEntry) -> None:
        self.collection = collection
        self.entry = entry

    def __getattr__(self, name: str) -> Any:
        """All that the index says of the object: id, label, group, bounds, metrics, bytes, ranges, ..."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.entry, name)

    def code(self, level: int | None = None) -> ObjectCodes:
        """The decoded code (B = 1) from the first `level` layers, all when None.

        Layers that are absent are zeros; an absent hull is ones, for nothing is known; an absent level of an octree has
        no voxels.
        """
        layers = self.collection.layers(self.entry.id, level)
        try:
            return self.collection.codec.decode([layers])
        except CollectionError as error:
            raise CollectionError(f"{self.collection.path}: object {self.entry.id!r}: {error}") from error

    @torch.no_grad()
    def render(self, cameras: Cameras, level: int | None = None, sampler: Sampler | None = None) -> Pictures:
        """Render views (V,) of the object, from its first `level` layers.

        Cameras are in object coordinates; their image sides must divide by the stride of the latent space. Of the
        pictures (B = 1, V) `images` holds RGB (1, V, 3, H, W) in [0, 1]. Raises ConfigError for sizes that do not
        divide, CollectionError for damaged bytes.
        """
        shared = self.collection.shared_part
        sampler = sampler or stored_sampler(self.collection)
        bounds = torch.as_tensor(self.entry.bounds, dtype=torch.float32)[None]
        code, occupancy = self._decoded(level, bounds)
        return render_code(shared, code, occupancy, cameras, bounds, sampler, level)

    def _decoded(self, level: int | None, bounds: Tensor) -> tuple[ObjectCodes, Occupancy | None]:
        """The code and where its field may hold something, made once for each level."""
        held = self.__dict__.setdefault("_held", {})
        if level not in held:
            code = self.code(level)
            held[level] = code, self.collection.shared_part.occupancy(code, bounds, level)
        return held[level]
