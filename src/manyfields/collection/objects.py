"""Stored objects that render: what `open_collection(path)[id]` gives."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.collection.coded_shared import decoded_shared
from manyfields.compression import (
    Codec,
    FactorCodec,
    FactorTransformCodec,
    OctreeCodec,
    PyramidCodec,
    RawCodec,
    TensorCodec,
    TransformCodec,
    TransformMicroCodec,
    VqMicroCodec,
)
from manyfields.compression.transform_common import CommonTransform
from manyfields.errors import CollectionError, ConfigError
from manyfields.fields import (
    FactorFamily,
    FusedPlanes,
    ObjectCodes,
    OctreeFamily,
    TensorFamily,
    family_config,
    family_from_config,
)
from manyfields.latents import Pictures, SharedPart, autoencoder_config, autoencoder_from_config
from manyfields.rendering import Occupancy, Sampler

if TYPE_CHECKING:
    from manyfields.collection.reader import Collection
    from manyfields.collection.records import ObjectEntry

ENCODER = "autoencoder.encoder."
EXACT = ("background", "autoencoder.mean", "autoencoder.std", "family.start")
CODEC = "float16"
VQ_MICRO = "vq-micro"
PYRAMID = PyramidCodec.name
TRANSFORM = TransformCodec.name
TRANSFORM_MICRO = TransformMicroCodec.name


def shared_tensors(shared: SharedPart) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
    """What is stored of a shared part, in 16 bits but for statistics: what rendering needs, and the encoder or None."""
    rendering: dict[str, Tensor] = {}
    encoder: dict[str, Tensor] = {}
    for name, tensor in shared.state_dict().items():
        kept = tensor.detach().cpu() if name in EXACT else tensor.detach().cpu().half()
        (encoder if name.startswith(ENCODER) else rendering)[name] = kept.contiguous()
    return rendering, encoder or None


def shared_config(shared: SharedPart, sampler: Sampler) -> dict[str, Any]:
    """The JSON from which `open_shared_part` rebuilds a shared part, stored inside its file."""
    return {
        "family": family_config(shared.family),
        "autoencoder": None if shared.autoencoder is None else autoencoder_config(shared.autoencoder),
        "sampler": asdict(sampler),
        "codec": codec_of(shared).name,
        "layers": [list(names) for names in shared.family.config.layers],
    }


def open_shared_part(collection: Collection, with_encoder: bool = False) -> SharedPart:
    """The shared part of a collection in float32, frozen. Raises CollectionError where its files do not fit."""
    config = collection.config
    tensors = decoded_shared(collection.shared(), config)
    encoder = collection.encoder() if with_encoder else None
    if with_encoder and encoder is None and config.get("autoencoder") is not None:
        raise CollectionError(f"{collection.path}: has no encoder, which fitting needs; fetch its encoder file")
    try:
        autoencoder = None if config["autoencoder"] is None else autoencoder_from_config(config["autoencoder"])
        shared: SharedPart = SharedPart(family_from_config(config["family"]), autoencoder)
        if config["codec"] != codec_of(shared).name:
            raise CollectionError(
                f"{collection.path}: codec {config['codec']!r} is not known here; use a newer version"
            )
        state = {name: tensor.float() for name, tensor in {**tensors, **(encoder or {})}.items()}
        missing, unexpected = shared.load_state_dict(state, strict=False)
        absent = [name for name in missing if encoder is not None or not name.startswith(ENCODER)]
        if absent or unexpected:
            raise CollectionError(f"{collection.path}: shared part lacks or has too much: {(absent + unexpected)[0]}")
    except (ConfigError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CollectionError(
            f"{collection.path}: the shared part cannot be built from its config ({error})"
        ) from error
    if autoencoder is not None and not with_encoder:
        autoencoder.encoder = torch.nn.Identity()
    return shared.eval().requires_grad_(False)


def stored_sampler(collection: Collection) -> Sampler:
    """How many samples a ray gets in this collection. Raises CollectionError."""
    try:
        return Sampler(**collection.config["sampler"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CollectionError(f"{collection.path}: the config has no usable sampler ({error})") from error


def codec_of(shared: SharedPart) -> Codec:
    """The plain codec of a shared part's codes."""
    if isinstance(shared.family, OctreeFamily):
        return OctreeCodec(shared.family.config)
    if isinstance(shared.family, TensorFamily):
        return TensorCodec(shared.family.config)
    if isinstance(shared.family, FactorFamily):
        return FactorCodec(shared.family.config)
    return RawCodec(shared.family.config.layers, shared.family.config.code_shapes())


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


@torch.no_grad()
def render_code(
    shared: SharedPart,
    code: ObjectCodes,
    occupancy: Occupancy | None,
    cameras: Cameras,
    bounds: Tensor,
    sampler: Sampler,
    level: int | None = None,
) -> Pictures:
    """Views (V,) of one object (B = 1), a few at a time; colours are in [0, 1]. `occupancy`: that of `shared`."""
    views = []
    for part in torch.arange(len(cameras)).split(8 if shared.stride > 1 else 1):
        views.append(shared.pictures(code, cameras[part][None], bounds, sampler, level=level, guide=occupancy))
    joined = {name: torch.cat([getattr(view, name) for view in views], 1) for name in ("latents", "opacity", "depth")}
    images = torch.cat([view.images for view in views if view.images is not None], 1).clamp(0.0, 1.0)
    return Pictures(**joined, images=images)
