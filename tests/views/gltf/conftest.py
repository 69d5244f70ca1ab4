"""GLB files written without the code under test."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

_TYPES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
TRIANGLE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], np.float32)
SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)


class Document:
    """A glTF in the making: a node with a mesh, to which primitives are added."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": []}],
        }
        self.binary = bytearray()

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        self.json.setdefault(kind, []).append(entry)
        return len(self.json[kind]) - 1

    def view(self, data: bytes, **more: Any) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **more}
        self.binary += data
        return self.add("bufferViews", entry)

    def accessor(self, values: Any, **more: Any) -> int:
        """`values` [N] or [N, width] of the type that is stored."""
        array = np.asarray(values)
        array = array.reshape(len(array), -1)
        kind = {"componentType": _TYPES[array.dtype.str[1:]], "type": _SHAPES[array.shape[1]], "count": len(array)}
        view = {} if "bufferView" in more else {"bufferView": self.view(array.tobytes())}
        entry = {**view, **kind, **more}
        return self.add("accessors", {key: value for key, value in entry.items() if value is not None})

    def primitive(self, vertices: Any = TRIANGLE, faces: Any = ((0, 1, 2),), mesh: int = 0, **more: Any) -> dict:
        """Attributes in `more` are arrays; all else goes into the primitive."""
        attributes = {"POSITION": self.accessor(np.float32(vertices))}
        for name in [name for name in more if name.isupper() or name[-1].isdigit()]:
            values = more.pop(name)
            attributes[name] = values if isinstance(values, int) else self.accessor(values)
        entry = {"attributes": attributes, **more}
        if faces is not None:
            entry["indices"] = self.accessor(np.uint16(faces).reshape(-1))
        self.json["meshes"][mesh]["primitives"].append(entry)
        return entry

    def square(self, **more: Any) -> dict:
        """A square of side 2 in the plane z = 0, its picture upright."""
        uv = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])
        normals = np.tile(np.float32([0, 0, 1]), (4, 1))
        more = {"TEXCOORD_0": uv, "NORMAL": normals, **more}
        return self.primitive(SQUARE, [[0, 1, 2], [0, 2, 3]], **more)

    def texture(self, image: Any, form: str = "PNG", sampler: dict | None = None, extension: str | None = None) -> int:
        """A texture of pixels, or of a file's bytes."""
        if not isinstance(image, bytes):
            buffer = io.BytesIO()
            Image.fromarray(np.asarray(image)).save(buffer, form, **({"lossless": True} if form == "WEBP" else {}))
            image = buffer.getvalue()
        source = self.add("images", {"bufferView": self.view(image), "mimeType": f"image/{form.lower()}"})
        entry: dict[str, Any] = {"source": source}
        if extension is not None:
            entry = {"extensions": {extension: entry}}
        if sampler is not None:
            entry["sampler"] = self.add("samplers", sampler)
        return self.add("textures", entry)

    def material(self, **entry: Any) -> int:
        return self.add("materials", entry)

    def painted(self, image: Any, **more: Any) -> int:
        """A material with a base colour texture."""
        index = image if isinstance(image, int) else self.texture(image)
        return self.material(pbrMetallicRoughness={"baseColorTexture": {"index": index, **more}, "metallicFactor": 0})

    def save(self, path: Path) -> Path:
        document = {**self.json}
        if self.binary:
            document.setdefault("buffers", [{"byteLength": len(self.binary)}])
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        body = bytes(self.binary) + bytes(-len(self.binary) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path


@pytest.fixture
def document() -> Document:
    return Document()


@pytest.fixture
def read(tmp_path):
    """Write a document and read it: surfaces in the file's own coordinates, and remarks."""
    from manyfields.views.gltf import read_gltf

    return lambda made, name="a.glb": read_gltf(made.save(tmp_path / name))
