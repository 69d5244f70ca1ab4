"""Bare triangles of a mesh: welded, checked for holes, and sampled evenly over their area."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from manyfields.errors import MeshError
from manyfields.views.mesh import Mesh

WELD = 1e-6  # of the mesh's diagonal: vertices that are nearer are one (files split them where textures have seams)


@dataclass(frozen=True, eq=False)
class Triangles:
    """Triangles that turn counterclockwise seen from outside; no vertex is there twice, none has no area."""

    vertices: Float64[np.ndarray, "N 3"]
    faces: Int64[np.ndarray, "F 3"]

    @staticmethod
    def welded(vertices: Float64[np.ndarray, "N 3"], faces: Int64[np.ndarray, "F 3"]) -> "Triangles":
        """Vertices at one place become one. Raises MeshError where no triangle has an area."""
        if not len(faces):
            raise MeshError("the mesh has no triangles")
        step = WELD * max(float(np.ptp(vertices, axis=0).max()), 1e-30)
        # Equal vertices, which is what files have at seams, always round alike; nearly equal ones almost always.
        _, first, inverse = np.unique(
            np.round(vertices / step).astype(np.int64), axis=0, return_index=True, return_inverse=True
        )
        result = Triangles(vertices[first], inverse.reshape(-1)[faces])
        solid = np.linalg.norm(result.crosses, axis=-1) > 0
        solid &= (result.faces != np.roll(result.faces, 1, axis=1)).all(-1)
        if not solid.any():
            raise MeshError("the mesh has no triangle with an area")
        return Triangles(result.vertices, result.faces[solid])

    @staticmethod
    def of_mesh(mesh: Mesh) -> "Triangles":
        """All surfaces of a mesh, in its world."""
        starts = np.cumsum([0, *(len(surface.vertices) for surface in mesh.surfaces)])
        vertices = np.concatenate([surface.vertices for surface in mesh.surfaces])
        faces = [surface.faces + start for surface, start in zip(mesh.surfaces, starts, strict=False)]
        return Triangles.welded(vertices.astype(np.float64), np.concatenate(faces).astype(np.int64))

    def transformed(self, matrix: Float64[np.ndarray, "4 4"]) -> "Triangles":
        """After an affine map; mirroring turns the triangles so that they keep their outer side."""
        linear = matrix[:3, :3]
        faces = self.faces[:, ::-1].copy() if np.linalg.det(linear) < 0 else self.faces
        return Triangles(self.vertices @ linear.T + matrix[:3, 3], faces)

    @cached_property
    def corners(self) -> Float64[np.ndarray, "F 3 3"]:
        return self.vertices[self.faces]

    @cached_property
    def crosses(self) -> Float64[np.ndarray, "F 3"]:
        """Normals, twice as long as the triangles' areas."""
        a, b, c = self.corners[:, 0], self.corners[:, 1], self.corners[:, 2]
        return np.cross(b - a, c - a)

    @cached_property
    def areas(self) -> Float64[np.ndarray, " F"]:
        return 0.5 * np.linalg.norm(self.crosses, axis=-1)

    @cached_property
    def normals(self) -> Float64[np.ndarray, "F 3"]:
        """Unit length, outwards."""
        return self.crosses / np.maximum(2 * self.areas, 1e-300)[:, None]

    @cached_property
    def open_edges(self) -> int:
        """Edges without exactly one triangle on each side; 0 for a watertight mesh."""
        ends = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        forward = ends[:, 0] < ends[:, 1]
        edges, inverse = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        ways = np.bincount(inverse[forward], minlength=len(edges))
        back = np.bincount(inverse[~forward], minlength=len(edges))
        return int(((ways != 1) | (back != 1)).sum())

    def sample(
        self, count: int, generator: np.random.Generator
    ) -> tuple[Float64[np.ndarray, "P 3"], Int64[np.ndarray, " P"]]:
        """Points spread evenly over the area (stratified: triangles get their share, to one), and their triangles."""
        ends = np.cumsum(self.areas)
        places = (np.arange(count) + generator.random(count)) / count * ends[-1]
        faces = np.searchsorted(ends, places, side="right").clip(max=len(ends) - 1)
        first, second = generator.random((2, count, 1))
        root = np.sqrt(first)  # evenly over a triangle: Osada et al. 2002, Shape Distributions
        a, b, c = (self.corners[faces, corner] for corner in range(3))
        return (1 - root) * a + root * (1 - second) * b + root * second * c, faces
