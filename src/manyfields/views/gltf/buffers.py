"""Numbers of a glTF file: buffers, views of them, and accessors, plain, sparse or compressed by meshopt.

Declared counts are held against the bytes that are there before memory is taken for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.gltf import meshopt
from manyfields.views.gltf.resources import resource

_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_MESHOPT = ("KHR_meshopt_compression", "EXT_meshopt_compression")
_MOST_WITHOUT_DATA = 1 << 24  # values of an accessor that is zeros but for its sparse ones


class Buffers:
    """Reads the accessors and buffer views of one document."""

    def __init__(self, path: Path, document: dict[str, Any], binary: bytes) -> None:
        self.path, self.document, self.binary = path, document, binary
        self._buffers: dict[int, bytes] = {}
        self._unpacked: dict[int, bytes] = {}

    def accessor(self, index: int) -> np.ndarray:
        """Values [count, width] of an accessor, integers that stand for fractions already divided."""
        entry = self.document["accessors"][index]
        dtype, width, count = np.dtype(_COMPONENTS[entry["componentType"]]), _WIDTHS[entry["type"]], entry["count"]
        if "bufferView" in entry:
            values = self._strided(entry["bufferView"], entry.get("byteOffset", 0), dtype, width, count)
        elif not 0 <= count * width <= _MOST_WITHOUT_DATA:
            raise MeshError(f"{self.path}: accessor {index} declares {count} values without data; export it again")
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in entry:
            sparse = entry["sparse"]
            where, what = sparse["indices"], sparse["values"]
            kind = np.dtype(_COMPONENTS[where["componentType"]])
            rows = self._strided(where["bufferView"], where.get("byteOffset", 0), kind, 1, sparse["count"])
            values = values.copy()
            values[rows[:, 0]] = self._strided(
                what["bufferView"], what.get("byteOffset", 0), dtype, width, sparse["count"]
            )
        return fractions(values) if entry.get("normalized") else values

    def has_data(self, index: int) -> bool:
        """Whether an accessor has values of its own, and not those of a compressed primitive."""
        entry = self.document["accessors"][index]
        if "bufferView" not in entry:
            return "sparse" in entry
        view = self.document["bufferViews"][entry["bufferView"]]
        buffer = self.document["buffers"][view["buffer"]]
        return "uri" in buffer or (view["buffer"] == 0 and bool(self.binary)) or _compression(view) is not None

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view (fewer than it says, where its buffer is short)."""
        if index not in self._unpacked:
            entry = self.document["bufferViews"][index]
            packed = _compression(entry)
            if packed is None:
                return self._slice(entry)
            try:
                self._unpacked[index] = meshopt.decoded(self._slice(packed), packed)
            except (ValueError, IndexError, KeyError) as error:
                raise MeshError(
                    f"{self.path}: buffer view {index} cannot be decompressed ({error}); export it again"
                ) from error
        return self._unpacked[index]

    def _slice(self, entry: dict[str, Any]) -> bytes:
        offset, length = entry.get("byteOffset", 0), entry["byteLength"]
        if offset < 0 or length < 0:
            raise MeshError(f"{self.path}: a buffer view lies outside its buffer; export it again")
        return self._buffer(entry["buffer"])[offset : offset + length]

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self.document["buffers"][index].get("uri")
            self._buffers[index] = self.binary if uri is None else resource(self.path, uri)
        return self._buffers[index]

    def _strided(self, view: int, offset: int, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        if count < 0 or offset < 0:
            raise MeshError(f"{self.path}: an accessor of buffer view {view} is negative; export it again")
        stride = self.document["bufferViews"][view].get("byteStride") or dtype.itemsize * width
        data = self.view(view)
        if count and offset + stride * (count - 1) + dtype.itemsize * width > len(data):
            raise MeshError(
                f"{self.path}: buffer view {view} is shorter than its accessor says{self._short(view)}; "
                "export the mesh again"
            )
        shape, strides = (count, width), (stride, dtype.itemsize)
        return np.ndarray(shape, dtype.newbyteorder("<"), data, offset, strides) if count else np.zeros(shape, dtype)

    def _short(self, view: int) -> str:
        """Where a buffer is shorter than it says itself: that, and what it is called."""
        index = self.document["bufferViews"][view]["buffer"]
        entry = self.document["buffers"][index]
        has, says = len(self._buffer(index)), entry.get("byteLength", 0)
        name = entry.get("uri", "")
        name = "its buffer" if not name or name.startswith("data:") else name
        return f" ({name} is cut short: {has} of {says} bytes)" if has < says else ""


def fractions(values: np.ndarray) -> np.ndarray:
    """Whole numbers that stand for fractions of their largest value, as float32."""
    if values.dtype.kind == "f":
        return values
    return np.maximum(values.astype(np.float32) / float(np.iinfo(values.dtype.name).max), -1)


def _compression(view: dict[str, Any]) -> dict[str, Any] | None:
    extensions = view.get("extensions", {})
    return next((extensions[name] for name in _MESHOPT if name in extensions), None)
