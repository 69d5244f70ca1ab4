"""Textures of a glTF file: their images, how they are sampled, and which coordinates lay them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfields.errors import MeshError, ViewError
from manyfields.views.gltf.buffers import Buffers
from manyfields.views.gltf.resources import resource
from manyfields.views.images import decode_texture
from manyfields.views.mesh import TextureSampler

_WRAPS = {33071: "clamp", 33648: "mirror", 10497: "repeat"}
_NEAREST = 9728
_KTX2 = b"\xabKTX 20\xbb\r\n\x1a\n"
_OTHER_SOURCES = ("EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu")


@dataclass(frozen=True)
class Placement:
    """Which coordinates a texture takes: a set's number, then scale, rotation and offset (KHR_texture_transform)."""

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0

    def moved(self, uv: np.ndarray) -> np.ndarray:
        u, v = uv[:, 0] * self.scale[0], uv[:, 1] * self.scale[1]
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return np.stack([c * u + s * v + self.offset[0], -s * u + c * v + self.offset[1]], axis=1)


@dataclass(frozen=True)
class Texture:
    """An image uint8 [H, W, C] and how it is laid on."""

    image: np.ndarray
    sampler: TextureSampler
    placement: Placement


class Textures:
    """Reads the textures of one document; images are kept, because materials share them."""

    def __init__(self, buffers: Buffers, remarks: list[str]) -> None:
        self.buffers, self.document, self.path = buffers, buffers.document, buffers.path
        self.remarks = remarks
        self._images: dict[int, np.ndarray] = {}

    def needed(self, reference: dict[str, Any] | None) -> Texture | None:
        """The texture that a material refers to, None where it refers to none. Raises MeshError."""
        if reference is None:
            return None
        index = reference["index"]
        entry = self.document["textures"][index]
        move = reference.get("extensions", {}).get("KHR_texture_transform", {})
        placement = Placement(
            int(move.get("texCoord", reference.get("texCoord", 0))),
            _pair(move.get("offset", (0, 0))),
            _pair(move.get("scale", (1, 1))),
            float(move.get("rotation", 0)),
        )
        return Texture(self._image_of(index, entry), self._sampler(entry), placement)

    def optional(self, reference: dict[str, Any] | None, what: str) -> Texture | None:
        """As `needed`; but where it cannot be read that is a remark, and the picture is made without it."""
        try:
            return self.needed(reference)
        except (MeshError, KeyError, IndexError) as error:
            why = str(error).removeprefix(f"{self.path}: ") if isinstance(error, MeshError) else "it does not exist"
            self.remarks.append(f"rendered without its {what} texture: {why}")
            return None

    def _sampler(self, texture: dict[str, Any]) -> TextureSampler:
        if "sampler" not in texture:
            return TextureSampler()
        entry = self.document["samplers"][texture["sampler"]]
        u, v = (_WRAPS.get(entry.get(name, 10497), "repeat") for name in ("wrapS", "wrapT"))
        return TextureSampler((u, v), entry.get("magFilter") != _NEAREST)

    def _image_of(self, index: int, texture: dict[str, Any]) -> np.ndarray:
        """Of several images the plain one is tried first, then those of extensions."""
        extensions = texture.get("extensions", {})
        sources = [texture.get("source"), *(extensions.get(name, {}).get("source") for name in _OTHER_SOURCES)]
        sources = [source for source in sources if source is not None]
        if not sources:
            others = f" that is read ({', '.join(extensions)})" if extensions else ""
            raise MeshError(
                f"{self.path}: texture {index} has no image{others}; export it with PNG, JPEG or WebP textures"
            )
        for source in sources[:-1]:
            try:
                return self._image(source)
            except MeshError:
                continue  # the next one is tried; if none can be read, the last one's error is raised
        return self._image(sources[-1])

    def _image(self, index: int) -> np.ndarray:
        if index not in self._images:
            entry = self.document["images"][index]
            in_file = "bufferView" in entry
            data = self.buffers.view(entry["bufferView"]) if in_file else resource(self.path, entry["uri"])
            name = entry.get("uri", entry.get("name", ""))
            name = f"image {index} ({name})" if name and not name.startswith("data:") else f"image {index}"
            self._images[index] = self._pixels(name, bytes(data))
        return self._images[index]

    def _pixels(self, name: str, data: bytes) -> np.ndarray:
        if data.startswith(_KTX2):
            return self._ktx2(name, data)
        try:
            return decode_texture(data)
        except ViewError as error:
            raise MeshError(
                f"{self.path}: {name} cannot be read ({error}); export it with PNG, JPEG or WebP textures"
            ) from error

    def _ktx2(self, name: str, data: bytes) -> np.ndarray:
        try:
            import opengl_basisu
        except ImportError as error:
            raise MeshError(
                f"{self.path}: {name} is KTX2; pip install 'manyfields[ktx2]', or export it with PNG or JPEG textures"
            ) from error
        try:
            texture = opengl_basisu.open(data)
            pixels = np.array(texture.transcode(opengl_basisu.Target.RGBA8).data)
            return pixels if texture.has_alpha else pixels[..., :3].copy()
        except ValueError as error:  # what its errors are
            raise MeshError(
                f"{self.path}: {name} cannot be read as KTX2 ({error}); export it with PNG or JPEG textures"
            ) from error


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
