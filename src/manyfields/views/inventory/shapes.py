"""Shapes that procedural objects are built from: x right, y back (the front is -y), z up, any unit of length.

A `Shape` has texture coordinates (v down) on every vertex, so that any of them can carry a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """Triangles: vertices [N, 3], faces [F, 3] (counter-clockwise from outside), uv [N, 2]."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Shape:
        return Shape(self.vertices + [x, y, z], self.faces, self.uv)

    def scaled(self, x: float, y: float, z: float) -> Shape:
        """Stretched along the axes by positive factors."""
        return Shape(self.vertices * [x, y, z], self.faces, self.uv)

    def turned(self, axis: str, degrees: float) -> Shape:
        """Turned about the x, y or z axis through the origin, counter-clockwise seen from the axis' tip."""
        a, c, s = "xyz".index(axis), np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        b, d = (a + 1) % 3, (a + 2) % 3
        vertices = self.vertices.copy()
        vertices[:, b] = c * self.vertices[:, b] - s * self.vertices[:, d]
        vertices[:, d] = s * self.vertices[:, b] + c * self.vertices[:, d]
        return Shape(vertices, self.faces, self.uv)

    def mirrored(self) -> Shape:
        """Its mirror image in the plane x = 0."""
        return Shape(self.vertices * [-1, 1, 1], self.faces[:, ::-1], self.uv)


def joined(shapes: Sequence[Shape]) -> Shape:
    """Several shapes as one."""
    starts = np.cumsum([0] + [len(shape.vertices) for shape in shapes[:-1]])
    return Shape(
        np.concatenate([shape.vertices for shape in shapes]),
        np.concatenate([shape.faces + start for shape, start in zip(shapes, starts, strict=True)]),
        np.concatenate([shape.uv for shape in shapes]),
    )


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    """Triangles [2 (rows - 1) (columns - 1), 3] between neighbours of a grid of vertices, row after row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None]).reshape(-1)
    right, up, across = corner + 1, corner + columns, corner + columns + 1
    return np.concatenate([np.stack([corner, right, across], 1), np.stack([corner, across, up], 1)])


def _without_slivers(shape: Shape) -> Shape:
    a, b, c = (shape.vertices[shape.faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return Shape(shape.vertices, shape.faces[area > 1e-10], shape.uv)


def box(size: Point, center: Point = (0.0, 0.0, 0.0)) -> Shape:
    """An axis-aligned box with sharp edges."""
    return rounded_box(size, center, 0.0, 0)


def rounded_box(size: Point, center: Point = (0.0, 0.0, 0.0), radius: float = 0.1, steps: int = 2) -> Shape:
    """A box with edges of `radius` (at most half of the smallest side) in `steps` facets.

    Every side shows the whole texture, upright on the four walls, as seen from outside.
    """
    half = np.asarray(size, dtype=np.float64) / 2
    radius = min(radius, float(half.min()))
    bend = np.tan(np.linspace(0, np.pi / 4, steps + 1)) if steps else np.ones(1)
    bend = np.concatenate([-bend[::-1], bend])  # the flat part of a side lies between the two middle lines
    a, b = (part.reshape(-1) for part in np.meshgrid(bend, bend))
    signs = np.sign(np.concatenate([-np.ones(steps + 1), np.ones(steps + 1)]))
    sign_a, sign_b = (part.reshape(-1) for part in np.meshgrid(signs, signs))
    faces = _grid_faces(len(bend), len(bend))
    sides = []
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
        first, second = ((1, 2), (0, 2), (0, 1))[axis]
        turn = sign if axis != 1 else -sign  # so that u runs to the right seen from outside
        out = np.zeros((len(a), 3))
        corner = np.zeros((len(a), 3))
        out[:, axis], out[:, first], out[:, second] = sign, a * turn, b
        corner[:, axis], corner[:, first], corner[:, second] = sign, sign_a * turn, sign_b
        out /= np.linalg.norm(out, axis=1, keepdims=True) if steps else 1.0
        points = corner * (half - radius) + out * radius if steps else corner * half
        u = 0.5 + turn * points[:, first] / (2 * half[first])
        v = 0.5 - points[:, second] / (2 * half[second])
        sides.append(Shape(points + np.asarray(center), faces, np.stack([u, v], axis=1)))
    return _without_slivers(joined(sides))


def lathe(profile: Sequence[tuple[float, float]], segments: int = 24, turn: float = 360.0) -> Shape:
    """A surface of revolution about z of a profile of (radius, z), walked upwards on the outside.

    u runs around, v down along the length of the profile.
    """
    points = np.asarray(profile, dtype=np.float64)
    angles = np.deg2rad(np.linspace(0, turn, segments + 1))
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    radius, height = np.repeat(points[:, 0], segments + 1), np.repeat(points[:, 1], segments + 1)
    around = np.tile(angles, len(points))
    vertices = np.stack([radius * np.cos(around), radius * np.sin(around), height], axis=1)
    u = np.tile(np.linspace(0, 1, segments + 1), len(points))
    v = 1 - np.repeat(length / length[-1], segments + 1)
    return _without_slivers(Shape(vertices, _grid_faces(len(points), segments + 1), np.stack([u, v], axis=1)))


def cylinder(
    radius: float, length: float, segments: int = 20, bevel: float = 0.0, top_radius: float | None = None
) -> Shape:
    """A cylinder (or cone frustum) about z with its foot at z = 0 and edges cut by `bevel`."""
    top = radius if top_radius is None else top_radius
    bevel = min(bevel, length / 2, max(radius, top))
    profile = [(0.0, 0.0), (max(radius - bevel, 0), 0.0), (radius, bevel), (top, length - bevel)]
    return lathe([*profile, (max(top - bevel, 0), length), (0.0, length)], segments)


def ball(radius: float, segments: int = 20, rings: int = 10) -> Shape:
    """A sphere around the origin."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    return lathe([(max(radius * np.cos(angle), 0.0), radius * np.sin(angle)) for angle in angles], segments)


def tube(path: Sequence[Point], radius: float | Sequence[float], segments: int = 10) -> Shape:
    """A round bar along a path, closed at both ends; `radius` may change along it."""
    centers = np.asarray(path, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(centers))
    tangents = np.gradient(centers, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(np.abs(tangents).max(0))]
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    rings = []
    for center, tangent, r in zip(centers, tangents, radii, strict=True):
        side = np.cross(tangent, helper)
        side /= np.linalg.norm(side)
        helper = np.cross(side, tangent)  # carried along, so that the bar does not twist
        rings.append(center + r * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * -helper))
    rings = [np.tile(centers[0], (segments + 1, 1)), *rings, np.tile(centers[-1], (segments + 1, 1))]
    return loft(rings)


def loft(rings: Sequence[np.ndarray]) -> Shape:
    """A skin over closed rings [K, 3] (first point repeated last), counter-clockwise seen from the last ring.

    u runs around the ring, v down from the last ring to the first.
    """
    count, columns = len(rings), len(rings[0])
    u = np.tile(np.linspace(0, 1, columns), count)
    v = np.repeat(np.linspace(1, 0, count), columns)
    shape = Shape(np.concatenate(rings), _grid_faces(count, columns), np.stack([u, v], axis=1))
    return _without_slivers(shape)


def ring(width: float, depth: float, z: float, y: float = 0.0, corner: float = 4.0, points: int = 24) -> np.ndarray:
    """A closed superellipse [points + 1, 3] in the plane z; `corner` 2 is an ellipse, larger ones are squarer."""
    angles = np.linspace(0, 2 * np.pi, points + 1)
    c, s = np.cos(angles), np.sin(angles)
    x = np.sign(c) * np.abs(c) ** (2 / corner) * width / 2
    back = np.sign(s) * np.abs(s) ** (2 / corner) * depth / 2
    return np.stack([x, back + y, np.full_like(x, z)], axis=1)


def panel(corners: Sequence[Point] | np.ndarray, inset: float = 0.0, lift: float = 0.01) -> Shape:
    """A flat piece on a wall: four corners counter-clockwise from outside, drawn in by the share `inset`, lifted."""
    points = np.asarray(corners, dtype=np.float64)
    points = points + (points.mean(0) - points) * inset
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    normal /= np.linalg.norm(normal)
    uv = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    return Shape(points + lift * normal, np.array([[0, 1, 2], [0, 2, 3]]), uv)


def part_of(
    corners: Sequence[Point] | np.ndarray, left: float, right: float, bottom: float = 0.0, top: float = 1.0
) -> np.ndarray:
    """The corners [4, 3] of a part of a four-cornered wall, given as shares of its width and height."""
    a, b, c, d = np.asarray(corners, dtype=np.float64)
    return np.stack(
        [
            (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * d + s * c)
            for s, t in ((left, bottom), (right, bottom), (right, top), (left, top))
        ]
    )


def shaded(shape: Shape, crease: float = 40.0) -> tuple[Shape, np.ndarray]:
    """The shape with its vertices split where faces meet at more than `crease` degrees, and its normals [N, 3].

    The normal of a face's corner is the area-weighted mean of the faces around the corner's position that point within
    `crease` degrees of it.
    """
    corners = shape.faces.reshape(-1)
    a, b, c = (shape.vertices[shape.faces[:, i]] for i in range(3))
    weighted = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    _, place = np.unique(np.round(shape.vertices[corners], 6), axis=0, return_inverse=True)
    place = place.reshape(-1)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    starts = np.cumsum(counts) - counts
    # all pairs (corner, corner at the same position)
    many = counts[place[order]]
    first = np.repeat(order, many)
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    second = order[np.repeat(starts[place[order]], many) + within]
    near = (unit[first] * unit[second]).sum(1) > np.cos(np.deg2rad(crease))
    normals = np.zeros_like(unit)
    np.add.at(normals, first[near], weighted[second[near]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    key = np.concatenate([corners[:, None], np.round(normals * 1e4)], axis=1)
    _, chosen, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    kept = corners[chosen]
    return Shape(shape.vertices[kept], index.reshape(-1, 3), shape.uv[kept]), normals[chosen]
