"""Reading glTF 2.0 and GLB files into surfaces (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).

Only what a picture of the object at rest needs: triangles, node transforms, metallic-roughness materials, embedded or
neighbouring buffers and images. Animations, skins and morph targets are left at rest; lines and points are left out.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.meshes import Material, Surface

_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_COMPRESSED = {"KHR_draco_mesh_compression": "Draco", "EXT_meshopt_compression": "meshopt"}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


def read_gltf(path: Path) -> tuple[list[Surface], list[str]]:
    """All triangles of the default scene, in the coordinates of the file (y up), and remarks. Raises MeshError."""
    try:
        document, binary = _parse(path)
        reader = _Reader(path, document, binary)
        return reader.surfaces(), reader.remarks
    except MeshError:
        raise
    except (
        KeyError,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        struct.error,
        RecursionError,
    ) as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise MeshError(f"{path}: is not a glTF file that can be read ({detail}); export it again") from error


def _parse(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    if data[:4] != b"glTF":
        return json.loads(data.decode("utf-8")), b""
    magic, version, length = struct.unpack_from("<4sII", data, 0)
    if version != 2:
        raise MeshError(f"{path}: is glTF version {version}; only version 2 is read")
    if length > len(data):
        raise MeshError(f"{path}: is cut short ({len(data)} of {length} bytes); copy it again")
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, position)
        chunks.setdefault(kind, data[position + 8 : position + 8 + size])
        position += 8 + size
    if b"JSON" not in chunks:
        raise MeshError(f"{path}: is a GLB file without its JSON part; export it again")
    return json.loads(chunks[b"JSON"].decode("utf-8")), chunks.get(b"BIN\x00", b"")


class _Reader:
    def __init__(self, path: Path, document: dict[str, Any], binary: bytes) -> None:
        self.path, self.document, self.binary = path, document, binary
        self.buffers: dict[int, bytes] = {}
        self.images: dict[int, np.ndarray] = {}
        self.materials: dict[int, Material] = {}
        self.remarks: list[str] = []
        for name, compression in _COMPRESSED.items():
            if name in document.get("extensionsRequired", []):
                raise MeshError(
                    f"{path}: is {compression}-compressed ({name}), which is not read; export it without compression"
                )

    def surfaces(self) -> list[Surface]:
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes")
        if scenes:
            roots = scenes[self.document.get("scene", 0)].get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", [])}
            roots = [index for index in range(len(nodes)) if index not in children]
        found: list[Surface] = []
        pending = [(root, np.eye(4), frozenset[int]()) for root in reversed(roots)]
        while pending:
            index, parent, above = pending.pop()
            if index in above:
                raise MeshError(f"{self.path}: node {index} is its own ancestor; export the mesh again")
            node = nodes[index]
            matrix = parent @ _node_matrix(node)
            if "mesh" in node:
                for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
                    if (surface := self.surface(primitive)) is not None:
                        found.append(surface.transformed(matrix))
            pending += [(child, matrix, above | {index}) for child in reversed(node.get("children", []))]
        return found

    def surface(self, primitive: dict[str, Any]) -> Surface | None:
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            self.remarks.append("its lines and points are left out; only triangles are rendered")
            return None
        for name, compression in _COMPRESSED.items():
            if name in primitive.get("extensions", {}):
                raise MeshError(
                    f"{self.path}: is {compression}-compressed ({name}), which is not read; export it plain"
                )
        attributes = primitive["attributes"]
        vertices = self.accessor(attributes["POSITION"]).astype(np.float64)
        order = self.accessor(primitive["indices"]).reshape(-1) if "indices" in primitive else np.arange(len(vertices))
        normals = self.accessor(attributes["NORMAL"]).astype(np.float64) if "NORMAL" in attributes else None
        material, texture_set = Material(metallic=1.0, roughness=1.0), 0
        if "material" in primitive:
            material = self.material(primitive["material"])
            base = self.document["materials"][primitive["material"]].get("pbrMetallicRoughness", {})
            texture_set = base.get("baseColorTexture", {}).get("texCoord", 0)
        else:
            material = Material()
        uv = None
        if f"TEXCOORD_{texture_set}" in attributes:
            uv = _moved(self.accessor(attributes[f"TEXCOORD_{texture_set}"]).astype(np.float64), material.uv_transform)
        colors = None
        if "COLOR_0" in attributes:
            colors = self.accessor(attributes["COLOR_0"]).astype(np.float32)
            if colors.shape[1] == 3:
                colors = np.concatenate([colors, np.ones_like(colors[:, :1])], axis=1)
        return Surface(vertices, _triangles(order.astype(np.int64), mode), normals, uv, colors, material)

    def material(self, index: int) -> Material:
        if index not in self.materials:
            self.materials[index] = self.read_material(self.document["materials"][index])
        return self.materials[index]

    def read_material(self, entry: dict[str, Any]) -> Material:
        base = entry.get("pbrMetallicRoughness", {})
        strength = entry.get("extensions", {}).get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
        r, g, b = (float(value) * strength for value in entry.get("emissiveFactor", (0, 0, 0)))
        red, green, blue, alpha = (float(value) for value in base.get("baseColorFactor", (1, 1, 1, 1)))
        move = base.get("baseColorTexture", {}).get("extensions", {}).get("KHR_texture_transform", {})
        return Material(
            base_color=(red, green, blue, alpha),
            base_image=self.texture(base.get("baseColorTexture")),
            metallic=float(base.get("metallicFactor", 1.0)),
            roughness=float(base.get("roughnessFactor", 1.0)),
            metallic_roughness_image=self.texture(base.get("metallicRoughnessTexture")),
            normal_image=self.texture(entry.get("normalTexture")),
            emissive=(r, g, b),
            emissive_image=self.texture(entry.get("emissiveTexture")),
            alpha_mode=entry.get("alphaMode", "OPAQUE"),
            alpha_cutoff=float(entry.get("alphaCutoff", 0.5)),
            uv_transform=(*move.get("offset", (0, 0)), *move.get("scale", (1, 1)), float(move.get("rotation", 0))),
        )

    def texture(self, reference: dict[str, Any] | None) -> np.ndarray | None:
        if reference is None:
            return None
        texture = self.document["textures"][reference["index"]]
        source = texture.get("source")
        for extension in texture.get("extensions", {}).values():
            source = extension.get("source", source) if source is None else source
        if source is None:
            raise MeshError(
                f"{self.path}: texture {reference['index']} has no image; export it with PNG or JPEG textures"
            )
        if source not in self.images:
            self.images[source] = self.image(source)
        return self.images[source]

    def image(self, index: int) -> np.ndarray:
        from PIL import Image, UnidentifiedImageError

        entry = self.document["images"][index]
        data = self.view(entry["bufferView"]) if "bufferView" in entry else self.resource(entry["uri"])
        try:
            image = Image.open(io.BytesIO(data))
            return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise MeshError(
                f"{self.path}: image {index} cannot be read; export it with PNG or JPEG textures"
            ) from error

    def accessor(self, index: int) -> np.ndarray:
        """Values [count, width] of an accessor, integers that stand for fractions already divided."""
        entry = self.document["accessors"][index]
        dtype, width, count = np.dtype(_COMPONENTS[entry["componentType"]]), _WIDTHS[entry["type"]], entry["count"]
        values = np.zeros((count, width), dtype)
        if "bufferView" in entry:
            values = self.strided(entry["bufferView"], entry.get("byteOffset", 0), dtype, width, count)
        if "sparse" in entry:
            sparse = entry["sparse"]
            where, what = sparse["indices"], sparse["values"]
            rows = self.strided(
                where["bufferView"], where.get("byteOffset", 0), np.dtype(_COMPONENTS[where["componentType"]]), 1,
                sparse["count"],
            )  # fmt: skip
            values = values.copy()
            replacement = self.strided(what["bufferView"], what.get("byteOffset", 0), dtype, width, sparse["count"])
            values[rows[:, 0]] = replacement
        if entry.get("normalized"):
            return np.maximum(values.astype(np.float32) / float(np.iinfo(values.dtype.name).max), -1)
        return values

    def strided(self, view: int, offset: int, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        stride = self.document["bufferViews"][view].get("byteStride") or dtype.itemsize * width
        data = self.view(view)
        if count and offset + stride * (count - 1) + dtype.itemsize * width > len(data):
            raise MeshError(f"{self.path}: buffer view {view} is shorter than its accessor says; export the mesh again")
        shape, strides = (count, width), (stride, dtype.itemsize)
        return np.ndarray(shape, dtype.newbyteorder("<"), data, offset, strides) if count else np.zeros(shape, dtype)

    def view(self, index: int) -> bytes:
        entry = self.document["bufferViews"][index]
        offset = entry.get("byteOffset", 0)
        return self.buffer(entry["buffer"])[offset : offset + entry["byteLength"]]

    def buffer(self, index: int) -> bytes:
        if index not in self.buffers:
            uri = self.document["buffers"][index].get("uri")
            self.buffers[index] = self.binary if uri is None else self.resource(uri)
        return self.buffers[index]

    def resource(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        file = self.path.parent / unquote(uri)
        if not file.resolve().is_relative_to(self.path.parent.resolve()):
            raise MeshError(f"{self.path}: refers to {uri}, outside its own folder; keep its files beside it")
        if not file.is_file():
            raise MeshError(f"{self.path}: refers to {uri}, which is not there; keep it beside the mesh")
        return file.read_bytes()


def _node_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", (0, 0, 0, 1)), dtype=np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _triangles(order: np.ndarray, mode: int) -> np.ndarray:
    if mode == _TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        return np.stack([np.full(max(len(order) - 2, 0), order[0]), order[1:-1], order[2:]], axis=1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], axis=1)
    faces[1::2] = faces[1::2][:, [1, 0, 2]]  # every second triangle of a strip is turned the other way
    return faces


def _moved(uv: np.ndarray, transform: tuple[float, ...]) -> np.ndarray:
    """KHR_texture_transform: translation * rotation * scale."""
    shift_u, shift_v, scale_u, scale_v, angle = transform
    u, v = uv[:, 0] * scale_u, uv[:, 1] * scale_v
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * u + s * v + shift_u, -s * u + c * v + shift_v], axis=1)
