"""Signed distances to the surface of a mesh: below 0 inside, above 0 outside; and samples of them to learn from.

    a point ──► nearest of many samples of the surface ──► their triangles ──► closest point on each ──► the nearest
    sign: by the pseudonormal there (of the triangle, edge or vertex), Baerentzen and Aanaes 2005

For a watertight mesh the sign by angle-weighted pseudonormals is exact. Nearest triangles are looked for among those of
nearby samples, every triangle having one at its middle. A wrong choice needs two triangles that are nearly as near, and
errs by less than the distance between samples.
"""

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from manyfields.errors import MeshError
from manyfields.views.surface_samples import Triangles

SAMPLES = 200_000
CANDIDATES = 12
POINTS_AT_ONCE = 1 << 16


class SignedDistance:
    """Signed distances to triangles. Raises MeshError where the mesh has holes, unless they are `allowed`."""

    def __init__(self, triangles: Triangles, *, holes_allowed: bool = False, samples: int = SAMPLES) -> None:
        from scipy.spatial import cKDTree

        if triangles.open_edges and not holes_allowed:
            raise MeshError(
                f"the mesh is not watertight: {triangles.open_edges} edges do not have one triangle on each side, so "
                "inside and outside are not told apart; close its holes, or allow them where they are small "
                "(--holes-allowed)"
            )
        self.triangles = triangles
        points, faces = triangles.sample(samples, np.random.default_rng(0))
        middles = triangles.corners.mean(1)
        self._tree = cKDTree(np.concatenate([points, middles]))
        self._face_of = np.concatenate([faces, np.arange(len(middles))])

    def __call__(self, points: Float64[np.ndarray, "P 3"]) -> Float64[np.ndarray, " P"]:
        parts = [self._signed(points[at : at + POINTS_AT_ONCE]) for at in range(0, len(points), POINTS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def nearest(self, points: Float64[np.ndarray, "P 3"]) -> tuple[Float64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
        """Distances without a sign, and the triangles they are to."""
        parts = [
            self._nearest(points[at : at + POINTS_AT_ONCE]) for at in range(0, max(len(points), 1), POINTS_AT_ONCE)
        ]
        distances, faces = zip(*((np.linalg.norm(away, axis=-1), faces) for away, faces, _ in parts), strict=True)
        return np.concatenate(distances), np.concatenate(faces)

    def _signed(self, points: np.ndarray) -> np.ndarray:
        away, faces, part = self._nearest(points)
        side = (away * self._pseudonormals[faces, part]).sum(-1)
        return np.where(side < 0, -1.0, 1.0) * np.linalg.norm(away, axis=-1)

    def _nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The way to each point from the closest one of the surface, and on which part of which triangle that is."""
        count = min(CANDIDATES, self._tree.n)
        _, nearest = self._tree.query(points, k=count)
        faces = self._face_of[nearest.reshape(len(points), count)]
        asked = np.repeat(points, count, axis=0)
        closest, part = closest_on_triangles(asked, self.triangles.corners[faces.reshape(-1)])
        away = (asked - closest).reshape(-1, count, 3)
        rows, best = np.arange(len(points)), np.square(away).sum(-1).argmin(1)
        return away[rows, best], faces[rows, best], part.reshape(-1, count)[rows, best]

    @cached_property
    def _pseudonormals(self) -> Float64[np.ndarray, "F 7 3"]:
        """For each triangle: of its corners a, b, c, of its edges ab, bc, ca, and its own. Not of unit length."""
        faces, corners, normals = self.triangles.faces, self.triangles.corners, self.triangles.normals
        of_vertices = np.zeros_like(self.triangles.vertices)
        for corner in range(3):
            here = corners[:, corner]
            one, two = corners[:, (corner + 1) % 3] - here, corners[:, (corner + 2) % 3] - here
            cosine = (one * two).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1))
            angle = np.arccos(cosine.clip(-1, 1))
            np.add.at(of_vertices, faces[:, corner], normals * angle[:, None])
        ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2), axis=1)
        _, edge_of = np.unique(ends, axis=0, return_inverse=True)
        edge_of = edge_of.reshape(-1)
        of_edges = np.zeros((int(edge_of.max()) + 1, 3))
        np.add.at(of_edges, edge_of, np.repeat(normals, 3, axis=0))
        return np.concatenate([of_vertices[faces], of_edges[edge_of].reshape(-1, 3, 3), normals[:, None]], 1)


def closest_on_triangles(
    points: Float64[np.ndarray, "P 3"], corners: Float64[np.ndarray, "P 3 3"]
) -> tuple[Float64[np.ndarray, "P 3"], Int64[np.ndarray, " P"]]:
    """The closest point on each point's triangle, and where it is: 0 1 2 a corner, 3 4 5 edges ab bc ca, 6 within.

    Ericson, Real-Time Collision Detection (2005), section 5.1.5.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    d1, d2 = _dot(ab, points - a), _dot(ac, points - a)
    d3, d4 = _dot(ab, points - b), _dot(ac, points - b)
    d5, d6 = _dot(ab, points - c), _dot(ac, points - c)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    tests = [
        (d1 <= 0) & (d2 <= 0),
        (d3 >= 0) & (d4 <= d3),
        (d6 >= 0) & (d5 <= d6),
        (vc <= 0) & (d1 >= 0) & (d3 <= 0),
        (va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0),
        (vb <= 0) & (d2 >= 0) & (d6 <= 0),
    ]
    # Corners come before edges, as a point may pass the tests of both.
    part = np.select(tests, range(6), 6)
    on_ab, on_ac = _ratio(d1, d1 - d3), _ratio(d2, d2 - d6)
    on_bc = _ratio(d4 - d3, (d4 - d3) + (d5 - d6))
    total = va + vb + vc
    share_b, share_c = _ratio(vb, total), _ratio(vc, total)
    places = np.stack(
        [a, b, c, a + on_ab * ab, b + on_bc * (c - b), a + on_ac * ac, a + share_b * ab + share_c * ac], 1
    )
    return places[np.arange(len(points)), part], part


def truncated_samples(
    distance: SignedDistance, count: int, truncation: float, generator: np.random.Generator
) -> tuple[Float[Tensor, "P 3"], Float[Tensor, " P"]]:
    """Points of [-1, 1]^3 and their signed distances, cut at +-`truncation`: what a distance field learns from.

    In the shares of NGLOD (Takikawa et al. 2021): two fifths on the surface, two fifths around it (normal distribution,
    half the truncation wide), one fifth anywhere. Raises MeshError where the mesh leaves the cube.
    """
    triangles = distance.triangles
    if np.abs(triangles.vertices).max() > 1:
        raise MeshError("the mesh reaches beyond the cube [-1, 1]^3; scale it to fit in")
    on = count * 2 // 5
    surface, _ = triangles.sample(on, generator)
    around, _ = triangles.sample(on, generator)
    around = around + generator.normal(0.0, 0.5 * truncation, around.shape)
    anywhere = generator.uniform(-1, 1, (count - 2 * on, 3))
    points = np.concatenate([surface, around, anywhere]).clip(-1, 1).astype(np.float32)
    distances = np.zeros(count)
    distances[on:] = distance(points[on:].astype(np.float64)).clip(-truncation, truncation)
    return torch.from_numpy(points), torch.from_numpy(distances.astype(np.float32))


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)[:, None]
