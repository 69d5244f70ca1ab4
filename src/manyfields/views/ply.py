"""Surfaces of PLY files: polygons, colours, texture coordinates, strips."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.mesh import Material, Surface
from manyfields.views.mesh_files import linear_colors, texture_beside
from manyfields.views.ply_tables import PlyTable, read_tables
from manyfields.views.polygons import triangulated

_UV = (("u", "v"), ("s", "t"), ("texture_u", "texture_v"), ("tu", "tv"), ("u0", "v0"), ("texture_s", "texture_t"))
_COLORS = (
    ("red", "green", "blue", "alpha"),
    ("r", "g", "b", "a"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", ""),
)
_CORNERS = ("vertex_indices", "vertex_index")


def read_ply(path: Path) -> tuple[list[Surface], list[str]]:
    """All polygons of a file as triangles, in its coordinates, and what of it was not understood. Raises MeshError."""
    tables, textures = read_tables(path)
    remarks: list[str] = []
    vertex = tables.get("vertex")
    if vertex is None or not all(axis in vertex.values for axis in "xyz"):
        raise MeshError(f"{path}: has no vertices with x, y and z; export it again")
    face = _faces(tables)
    if face is None:
        return [], [f"it is a cloud of {vertex.count} points; a surface is needed"]
    return _surfaces(vertex, face, textures, path, remarks), remarks


def _faces(tables: dict[str, PlyTable]) -> PlyTable | None:
    """The table of polygons, triangle strips among them turned into triangles."""
    face = tables.get("face")
    if face is not None and face.count and any(name in face.lengths for name in _CORNERS):
        return face
    strips = tables.get("tristrips")
    if strips is None or not strips.count or _CORNERS[0] not in strips.lengths:
        return None
    triangles = []
    ends = np.cumsum(strips.lengths[_CORNERS[0]])[:-1]
    for strip in np.split(strips.values[_CORNERS[0]], ends):
        for run in np.split(strip, np.flatnonzero(strip < 0)):
            run = run[run >= 0]
            if len(run) > 2:
                made = np.stack([run[:-2], run[1:-1], run[2:]], axis=1)
                made[1::2] = made[1::2][:, [1, 0, 2]]  # every second triangle of a strip is turned the other way
                triangles.append(made[(made != np.roll(made, 1, axis=1)).all(1)])
    if not triangles:
        return None
    corners = np.concatenate(triangles)
    made_face = PlyTable("face", len(corners))
    made_face.values, made_face.lengths = {_CORNERS[0]: corners.reshape(-1)}, {_CORNERS[0]: np.full(len(corners), 3)}
    return made_face


def _surfaces(vertex: PlyTable, face: PlyTable, textures: list[str], path: Path, remarks: list[str]) -> list[Surface]:
    """One surface for each texture."""
    name = next(name for name in _CORNERS if name in face.lengths)
    points = np.stack([vertex.values[axis] for axis in "xyz"], axis=1)
    indices, counts = face.values[name], face.lengths[name]
    if not np.isfinite(indices).all() or (indices < 0).any() or (indices >= len(points)).any():
        raise MeshError(f"{path}: a face names a vertex that does not exist; export the mesh again")
    corners = indices.astype(np.int64)
    if not np.isfinite(points[corners]).all():
        raise MeshError(f"{path}: has vertices that are not finite numbers; export the mesh again")
    triangles, owner = triangulated(points, corners, counts)
    if (counts < 3).any():
        remarks.append(f"{int((counts < 3).sum())} faces of fewer than three corners are left out")
    colors, by_face = _colors(vertex, remarks), _colors(face, remarks)
    uv, by_corner = _texture_coordinates(vertex, face, counts, remarks)
    numbers = face.values.get("texnumber", np.zeros(face.count))[owner].astype(np.int64)
    if len(textures) < 2:
        numbers = np.zeros_like(numbers)
    normals = None
    if all(axis in vertex.values for axis in ("nx", "ny", "nz")):
        normals = np.stack([vertex.values[axis] for axis in ("nx", "ny", "nz")], axis=1)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / length if (length > 0).all() else None
    surfaces = []
    for number in np.unique(numbers):
        chosen = triangles[numbers == number]
        at = corners[chosen.reshape(-1)]  # vertices, one for each corner
        if by_face is None and not by_corner:
            used, faces = np.unique(at, return_inverse=True)
            corner_uv = None if uv is None else uv[used]
            corner_color = None if colors is None else colors[used]
        else:
            used, faces = at, np.arange(len(at))
            corner_uv = None if uv is None else uv[chosen.reshape(-1) if by_corner else at]
            corner_color = None if colors is None else colors[at]
            if by_face is not None:
                corner_color = np.repeat(by_face[owner[numbers == number]], 3, axis=0)
        material = _material(textures, int(number), corner_uv, corner_color, path, remarks)
        corner_normals = None if normals is None else normals[used]
        surfaces.append(Surface(points[used], faces.reshape(-1, 3), corner_normals, corner_uv, corner_color, material))
    return surfaces


def _material(
    textures: list[str], number: int, uv: np.ndarray | None, colors: np.ndarray | None, path: Path, remarks: list[str]
) -> Material:
    image = None
    if 0 <= number < len(textures) and uv is not None:
        image = texture_beside(path.parent, textures[number], "the mesh", remarks)
    elif textures and uv is None:
        remarks.append(f"it names the texture {textures[0]}, but has no texture coordinates")
    through = colors is not None and bool((colors[:, 3] < 1).any())
    return Material(base_image=None if image is None else image[..., :3], alpha_mode="BLEND" if through else "OPAQUE")


def _colors(element: PlyTable, remarks: list[str]) -> np.ndarray | None:
    """Linear colours [N, 4] of vertices or faces, taken as sRGB; whole numbers by what their type can hold."""
    for names in _COLORS:
        if not all(name in element.values for name in names[:3]):
            continue
        parts = []
        for name in names:
            if name not in element.values:
                continue
            kind = np.dtype(element.types[name])
            values = element.values[name]
            most = float(np.iinfo(kind).max) if kind.itemsize < 4 and kind.kind in "iu" else 255.0
            floating = kind.kind == "f" and not (np.nan_to_num(values) > 1).any()
            parts.append(values if floating else values / most)
        colors = linear_colors(np.stack(parts, axis=1))
        if len(colors) and (colors[:, 3] <= 0).all():
            remarks.append("its colours are all invisible (alpha 0); taken for opaque")
            colors[:, 3] = 1
        return colors
    return None


def _texture_coordinates(
    vertex: PlyTable, face: PlyTable, counts: np.ndarray, remarks: list[str]
) -> tuple[np.ndarray | None, bool]:
    """v down, [N, 2] of vertices, or of corners where the flag says so."""
    listed = face.lengths.get("texcoord")
    if listed is not None:
        if (listed == 2 * counts).all():
            uv = face.values["texcoord"].reshape(-1, 2)
            return np.nan_to_num(np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)), True
        if listed.any():
            remarks.append("its faces have other numbers of texture coordinates than of corners; they are left out")
    for across, up in _UV:
        if across in vertex.values and up in vertex.values:
            uv = np.stack([vertex.values[across], 1 - vertex.values[up]], axis=1)
            return np.nan_to_num(uv), False
    return None, False
