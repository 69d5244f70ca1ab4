"""Primitives of a glTF file as surfaces: attributes, triangles, morph targets, coordinates of textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.gltf import draco
from manyfields.views.gltf.buffers import Buffers, fractions
from manyfields.views.gltf.materials import Materials
from manyfields.views.gltf.textures import Placement
from manyfields.views.mesh import Surface

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(frozen=True)
class SkinnedSurface:
    """A surface and, where it is skinned, its joints [N, K] and their weights [N, K]."""

    surface: Surface
    joints: np.ndarray | None = None
    weights: np.ndarray | None = None


class Geometry:
    """Reads the primitives of one document; a mesh that several nodes show is read once."""

    def __init__(self, buffers: Buffers, materials: Materials, remarks: list[str]) -> None:
        self.buffers, self.materials, self.remarks = buffers, materials, remarks
        self.document, self.path = buffers.document, buffers.path
        self._read: dict[tuple[int, tuple[float, ...]], list[SkinnedSurface]] = {}

    def mesh(self, index: int, weights: Sequence[float] | None) -> list[SkinnedSurface]:
        """The shapes of a mesh, its morph targets taken with `weights` (None: the mesh's own). Raises MeshError."""
        entry = self.document["meshes"][index]
        amounts = tuple(float(value) for value in (entry.get("weights", ()) if weights is None else weights))
        if (index, amounts) not in self._read:
            shapes = [self._shape(primitive, amounts) for primitive in entry["primitives"]]
            self._read[index, amounts] = [shape for shape in shapes if shape is not None]
        return self._read[index, amounts]

    def _shape(self, primitive: dict[str, Any], amounts: tuple[float, ...]) -> SkinnedSurface | None:
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            self.remarks.append("its lines and points are left out; only triangles are rendered")
            return None
        attributes, order = self._attributes(primitive)
        vertices = attributes["POSITION"].astype(np.float64)
        for name, values in attributes.items():
            if len(values) != len(vertices):
                raise MeshError(
                    f"{self.path}: a primitive has {len(vertices)} positions and {len(values)} values of {name}; "
                    "export it again"
                )
        normals = attributes["NORMAL"].astype(np.float64) if "NORMAL" in attributes else None
        vertices, normals = self._morphed(primitive.get("targets", ()), amounts, vertices, normals)
        faces = triangles(np.arange(len(vertices)) if order is None else order.astype(np.int64), mode)
        material, placements = self.materials.get(primitive.get("material"))
        uv = self._coordinates(attributes, placements.get("base", Placement()), len(vertices), "base" in placements)
        own = {
            role: self._coordinates(attributes, placement, len(vertices), True)
            for role, placement in placements.items()
            if role != "base" and placement != placements.get("base", Placement())
        }
        if uv is None and placements:
            uv = np.zeros((len(vertices), 2))  # never looked up, but what has textures has coordinates
        surface = Surface(
            vertices, faces, normals, uv, _colors(attributes), material,
            {role: values for role, values in own.items() if values is not None},
        )  # fmt: skip
        joints, weights = _influences(attributes)
        return SkinnedSurface(surface, joints, weights)

    def _attributes(self, primitive: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Attributes [N, width] by name, and the vertex indices, from plain data where there are any."""
        names: dict[str, int] = primitive["attributes"]
        packed = primitive.get("extensions", {}).get(draco.EXTENSION)
        indices = primitive.get("indices")
        accessors = list(names.values()) + ([] if indices is None else [indices])
        if packed is None or all(self.buffers.has_data(index) for index in accessors):
            order = None if indices is None else self.buffers.accessor(indices).reshape(-1)
            return {name: self.buffers.accessor(index) for name, index in names.items() if _is_used(name)}, order
        found, order = draco.decode(self.path, self.buffers.view(packed["bufferView"]), packed["attributes"])
        accessors_of = self.document["accessors"]
        for name, index in names.items():
            if name not in found and _is_used(name) and self.buffers.has_data(index):
                found[name] = self.buffers.accessor(index)
            elif name in found and index < len(accessors_of) and accessors_of[index].get("normalized"):
                found[name] = fractions(found[name])
        return {name: values for name, values in found.items() if _is_used(name)}, order

    def _morphed(
        self,
        targets: Sequence[dict[str, int]],
        amounts: tuple[float, ...],
        vertices: np.ndarray,
        normals: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        for target, amount in zip(targets, amounts, strict=False):
            if amount == 0:
                continue
            if "POSITION" in target:
                vertices = vertices + amount * self.buffers.accessor(target["POSITION"])
            if "NORMAL" in target and normals is not None:
                normals = normals + amount * self.buffers.accessor(target["NORMAL"])
            if others := sorted(name for name in target if name.startswith(("TEXCOORD", "COLOR"))):
                self.remarks.append(f"its morph targets' {', '.join(others)} are left out")
        return vertices, normals

    def _coordinates(
        self, attributes: dict[str, np.ndarray], placement: Placement, count: int, needed: bool
    ) -> np.ndarray | None:
        name = f"TEXCOORD_{placement.uv_set}"
        if name not in attributes:
            if not needed:
                return None
            instead = "TEXCOORD_0" if "TEXCOORD_0" in attributes else None
            self.remarks.append(
                f"a texture asks for {name}, which a mesh lacks; "
                + (f"{instead} is taken" if instead else "one colour of it is taken")
            )
            if instead is None:
                return placement.moved(np.zeros((count, 2)))
            name = instead
        return placement.moved(attributes[name].astype(np.float64))


def triangles(order: np.ndarray, mode: int) -> np.ndarray:
    """Vertex indices [F, 3] of a list, strip or fan of triangles."""
    if mode == _TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if len(order) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.full(len(order) - 2, order[0]), order[1:-1], order[2:]], axis=1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], axis=1)
    faces[1::2] = faces[1::2][:, [1, 0, 2]]  # every second triangle of a strip is turned the other way
    return faces


def _is_used(name: str) -> bool:
    return name in ("POSITION", "NORMAL", "COLOR_0") or name.startswith(("TEXCOORD_", "JOINTS_", "WEIGHTS_"))


def _colors(attributes: dict[str, np.ndarray]) -> np.ndarray | None:
    if "COLOR_0" not in attributes:
        return None
    colors = fractions(attributes["COLOR_0"]).astype(np.float32)
    return np.concatenate([colors, np.ones_like(colors[:, :1])], axis=1) if colors.shape[1] == 3 else colors


def _influences(attributes: dict[str, np.ndarray]) -> tuple[np.ndarray | None, np.ndarray | None]:
    sets = [i for i in range(8) if f"JOINTS_{i}" in attributes and f"WEIGHTS_{i}" in attributes]
    if not sets:
        return None, None
    joints = np.concatenate([attributes[f"JOINTS_{i}"].astype(np.int64) for i in sets], axis=1)
    weights = np.concatenate([fractions(attributes[f"WEIGHTS_{i}"]).astype(np.float64) for i in sets], axis=1)
    total = weights.sum(1, keepdims=True)
    unheld = total[:, 0] <= 0
    weights = weights / np.where(total > 0, total, 1)
    weights[unheld, 0] = 1.0  # as viewers do: a vertex without weights follows its first joint
    return joints, weights
