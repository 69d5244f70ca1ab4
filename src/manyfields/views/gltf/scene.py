"""The scene of a glTF file at rest: nodes, instances and skins put surfaces in their places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.gltf.buffers import Buffers, fractions
from manyfields.views.gltf.geometry import Geometry, SkinnedSurface
from manyfields.views.mesh import Surface

_INSTANCING = "EXT_mesh_gpu_instancing"
_MOST_TRIANGLES = 50_000_000


class SceneNodes:
    """The nodes of one document, with where each of them is."""

    def __init__(self, buffers: Buffers, geometry: Geometry, remarks: list[str]) -> None:
        self.buffers, self.geometry, self.remarks = buffers, geometry, remarks
        self.document, self.path = buffers.document, buffers.path
        self.nodes: list[dict[str, Any]] = self.document.get("nodes", [])
        self.parents = self._parents()
        self.places: dict[int, np.ndarray] = {}

    def surfaces(self) -> list[Surface]:
        """All triangles of the default scene. Raises MeshError."""
        found: list[Surface] = []
        count = 0
        for index in self._shown():
            node = self.nodes[index]
            if "mesh" not in node:
                continue
            for shape in self.geometry.mesh(node["mesh"], node.get("weights")):
                for surface in self._placed(index, node, shape):
                    count += len(surface.faces)
                    if count > _MOST_TRIANGLES:
                        raise MeshError(f"{self.path}: has more than {_MOST_TRIANGLES:,} triangles; simplify it")
                    found.append(surface)
        return found

    def _placed(self, index: int, node: dict[str, Any], shape: SkinnedSurface) -> list[Surface]:
        if "skin" in node and shape.joints is not None:
            return [with_normals(self._skinned(node["skin"], shape))]
        if "skin" in node:
            self.remarks.append("a skinned mesh has no joints; rendered where its node is")
        surface = shape.surface
        instances = node.get("extensions", {}).get(_INSTANCING)
        if instances is None:
            return [with_normals(surface.transformed(self._place(index)))]
        matrices = self._instances(instances.get("attributes", {}))
        if len(matrices) * len(surface.faces) > _MOST_TRIANGLES:
            raise MeshError(f"{self.path}: has more than {_MOST_TRIANGLES:,} triangles; simplify it")
        return [with_normals(surface.transformed(self._place(index) @ matrix)) for matrix in matrices]

    def _parents(self) -> dict[int, int]:
        parents: dict[int, int] = {}
        for index, node in enumerate(self.nodes):
            for child in node.get("children", []):
                if not 0 <= child < len(self.nodes):
                    raise MeshError(f"{self.path}: node {index} has a child that does not exist; export it again")
                if parents.setdefault(child, index) != index:
                    self.remarks.append(f"node {child} has two parents; rendered under the first")
        settled: set[int] = set()
        for index in range(len(self.nodes)):
            line: list[int] = []
            above: set[int] = set()
            at: int | None = index
            while at is not None and at not in settled:
                if at in above:
                    raise MeshError(f"{self.path}: node {at} is its own ancestor; export the mesh again")
                above.add(at)
                line.append(at)
                at = parents.get(at)
            settled.update(line)
        return parents

    def _shown(self) -> list[int]:
        """The nodes of the scene, parents first."""
        scenes = self.document.get("scenes")
        if scenes:
            chosen = self.document.get("scene", 0)
            if not 0 <= chosen < len(scenes):
                self.remarks.append(f"its scene {chosen} does not exist; the first is rendered")
                chosen = 0
            if len(scenes) > 1:
                self.remarks.append(f"it has {len(scenes)} scenes; scene {chosen} is rendered")
            roots = scenes[chosen].get("nodes", [])
            if any(root in self.parents for root in roots):
                self.remarks.append("its scene lists nodes that stand below others; rendered there")
                roots = [root for root in roots if root not in self.parents] or roots
        else:
            roots = [index for index in range(len(self.nodes)) if index not in self.parents]
        shown: dict[int, None] = {}
        pending = list(reversed(roots))
        while pending:
            index = pending.pop()
            node = self.nodes[index]
            visible = node.get("extensions", {}).get("KHR_node_visibility", {}).get("visible", True)
            if index in shown or not visible:
                continue
            shown[index] = None
            pending += [child for child in reversed(node.get("children", [])) if self.parents[child] == index]
        return list(shown)

    def _place(self, index: int) -> np.ndarray:
        """Where a node is, in the scene or outside of it."""
        line = []
        at: int | None = index
        while at is not None and at not in self.places:
            line.append(at)
            at = self.parents.get(at)
        matrix = np.eye(4) if at is None else self.places[at]
        for each in reversed(line):
            matrix = matrix @ node_matrix(self.nodes[each])
            self.places[each] = matrix
        return matrix

    def _instances(self, attributes: dict[str, int]) -> np.ndarray:
        """EXT_mesh_gpu_instancing: a matrix [4, 4] for each instance."""
        found = {name: self.buffers.accessor(index) for name, index in attributes.items() if not name.startswith("_")}
        count = max((len(values) for values in found.values()), default=0)
        if any(len(values) != count for values in found.values()):
            raise MeshError(f"{self.path}: its instances have attributes of several lengths; export it again")
        rotations = fractions(found["ROTATION"]) if "ROTATION" in found else np.tile([0.0, 0, 0, 1], (count, 1))
        matrices = np.tile(np.eye(4), (count, 1, 1))
        matrices[:, :3, :3] = rotation_matrices(rotations)
        if "SCALE" in found:
            matrices[:, :3, :3] *= found["SCALE"].astype(np.float64)[:, None, :]
        if "TRANSLATION" in found:
            matrices[:, :3, 3] = found["TRANSLATION"]
        return matrices

    def _skinned(self, index: int, shape: SkinnedSurface) -> Surface:
        """Vertices where the joints hold them; the place of the mesh's own node does not matter (glTF 2.0, 3.7.3)."""
        surface, joints, weights = shape.surface, shape.joints, shape.weights
        assert joints is not None and weights is not None
        skin = self.document["skins"][index]
        places = np.stack([self._place(joint) for joint in skin["joints"]])
        if "inverseBindMatrices" in skin:
            values = self.buffers.accessor(skin["inverseBindMatrices"]).astype(np.float64)
            if len(values) < len(places):
                raise MeshError(f"{self.path}: skin {index} has too few inverse bind matrices; export it again")
            places = places @ values[: len(places)].reshape(-1, 4, 4).transpose(0, 2, 1)
        held = np.where(weights > 0, joints, 0)
        if held.size and (held.min() < 0 or held.max() >= len(places)):
            raise MeshError(f"{self.path}: a vertex hangs on a joint that skin {index} lacks; export it again")
        vertices = np.zeros_like(surface.vertices)
        turned = np.zeros_like(surface.vertices)
        towards = np.linalg.pinv(places[:, :3, :3]).transpose(0, 2, 1)
        for k in range(held.shape[1]):
            place, share = places[held[:, k]], weights[:, k : k + 1]
            vertices += share * (np.einsum("nij,nj->ni", place[:, :3, :3], surface.vertices) + place[:, :3, 3])
            if surface.normals is not None:
                turned += share * np.einsum("nij,nj->ni", towards[held[:, k]], surface.normals)
        normals = None if surface.normals is None else turned
        mirrored = np.linalg.det(places[held[:, 0], :3, :3]) < 0
        faces = surface.faces
        if len(faces) and faces.min() >= 0 and faces.max() < len(mirrored):
            faces = np.where(mirrored[faces[:, :1]], faces[:, ::-1], faces)
        return replace(surface, vertices=vertices, normals=normals, faces=faces)


def node_matrix(node: dict[str, Any]) -> np.ndarray:
    """A node's own matrix, or what its translation, rotation and scale make."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    rotation = rotation_matrices(np.array([node.get("rotation", (0, 0, 0, 1))], dtype=np.float64))[0]
    matrix[:3, :3] = rotation * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Matrices [N, 3, 3] of quaternions (x, y, z, w), which are brought to unit length; of zeros, none."""
    q = quaternions.astype(np.float64)
    length = np.linalg.norm(q, axis=1, keepdims=True)
    q = np.where(length > 0, q / np.where(length > 0, length, 1), (0.0, 0.0, 0.0, 1.0))
    x, y, z, w = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def with_normals(surface: Surface) -> Surface:
    """Without normals a surface is flat (glTF 2.0, 3.7.2.1); single normals that are no directions are mended."""
    if surface.normals is None:
        return replace(surface, flat=True)
    faces = surface.faces
    length = np.linalg.norm(surface.normals, axis=1)
    bad = ~(length > 1e-6) | ~np.isfinite(length)
    if not len(faces) or faces.min() < 0 or faces.max() >= len(bad):
        return surface  # whoever checks its triangles will say so
    normals = np.where(bad[:, None], 0.0, surface.normals)
    corners = surface.vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        mend = bad[faces[:, corner]]
        np.add.at(normals, faces[mend, corner], across[mend])
    return replace(surface, normals=_unit(normals))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors; those of no length point up."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])
    return np.where(length > 0, vectors / np.where(length > 0, length, 1), up)
