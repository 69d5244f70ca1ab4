"""Stored objects that render: what `open_collection(path)[id]` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.collection.shared_file import stored_sampler
from manyfields.compression import Codec
from manyfields.errors import CollectionError
from manyfields.families.factor_fields.field import FactorFamily
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.registry import codec_of
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.scene import CommonTransform
from manyfields.fields.codes import ObjectCodes
from manyfields.rendering import Occupancy, Sampler
from manyfields.shared_part import Pictures, render_code

if TYPE_CHECKING:
    from manyfields.collection.reader import Collection
    from manyfields.collection.records import ObjectEntry

CODEC = "float16"
VQ_MICRO = "vq-micro"
PYRAMID = PyramidCodec.name
TRANSFORM = TransformCodec.name
TRANSFORM_MICRO = TransformMicroCodec.name


def open_codec(collection: Collection) -> Codec:
    """The codec of a collection: that of its codec file, else the plain one. Raises CollectionError."""
    config = {"codec": CODEC} if collection.codec_config is None else collection.codec_config
    name = config.get("codec")
    opener = CODECS.get(name) if isinstance(name, str) else None
    if opener is None:
        raise CollectionError(f"{collection.path}: codec {name!r} is not known here; use a newer version")
    try:
        return opener(collection, config)
    except (CollectionError, ValueError) as error:
        raise CollectionError(f"{collection.path}: the codec cannot be built from its file ({error})") from error


def _open_plain(collection: Collection, config: dict[str, Any]) -> Codec:
    return codec_of(collection.shared_part)


def _open_vq_micro(collection: Collection, config: dict[str, Any]) -> Codec:
    family = collection.shared_part.family.config
    return VqMicroCodec.from_tensors(family.layers, family.code_shapes(), collection.codec_tensors(), config)


def _open_transform_micro(collection: Collection, config: dict[str, Any]) -> Codec:
    if not isinstance(family := collection.shared_part.family, FusedPlanes):
        raise ValueError("its family is not that of fused planes")
    layers, shapes = family.config.layers, family.config.code_shapes()
    return TransformMicroCodec.from_tensors(layers, shapes, collection.codec_tensors(), config)


def _open_transform(collection: Collection, config: dict[str, Any]) -> Codec:
    family = collection.shared_part.family
    if isinstance(family, FactorFamily):
        return FactorTransformCodec(family.config)
    if not isinstance(family, TensorFamily):
        raise ValueError("its family is not that of tensor fields, nor of factor fields")
    tensors = collection.codec_tensors()
    return TransformCodec(family.config, CommonTransform.from_tensors(tensors, config) if tensors else None)


def _open_pyramid(collection: Collection, config: dict[str, Any]) -> Codec:
    if not isinstance(family := collection.shared_part.family, TensorFamily):
        raise ValueError("its family is not that of tensor fields")
    return PyramidCodec(family.config)


CODECS = {
    PYRAMID: _open_pyramid,
    CODEC: _open_plain,
    VQ_MICRO: _open_vq_micro,
    TRANSFORM: _open_transform,
    TRANSFORM_MICRO: _open_transform_micro,
}


class StoredObject:
    """One object of a collection; its bytes are read and decoded when it is first rendered."""

    def __init__(self, collection: Collection, entry: ObjectEntry) -> None:
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
