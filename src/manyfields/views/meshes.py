"""Meshes of files in one common form: triangles with materials, in world axes, of a normalised size.

Reads GLB and glTF (`gltf/`), OBJ (`obj.py`) and PLY (`ply.py`). What a file calls its material becomes a `Material`
with linear colours, as in glTF 2.0; vertex colours of PLY and OBJ files are taken as sRGB, those of glTF as linear.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.mesh import Mesh, Surface, _used_vertices

SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
_MOST_REMARKS = 12  # of one mesh
FARTHEST = 0.9  # distance of the farthest vertex from the origin after `normalised`

_AXES = {
    "y": np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64),
    "z": np.eye(4),
}


def read_mesh(path: Path, *, up: str | None = None, yaw_deg: float = 0.0) -> Mesh:
    """Read a mesh and bring it into the world of the renderer.

    File axes with `up` "y" or "z" (default: "z" for PLY, "y" for the others) go to world z up, glTF (x, y, z) to
    (x, -z, y); then a turn of `yaw_deg` about z; then the centre of the bounding box to the origin and the farthest
    vertex to 0.9. What of the file was not understood is in the mesh's `remarks`. Raises MeshError.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MeshError(f"{path}: {suffix or 'no suffix'} is not a mesh format that is read; use {', '.join(SUFFIXES)}")
    axis = up or ("z" if suffix == ".ply" else "y")
    if axis not in _AXES:
        raise MeshError(f"{path}: up axis {axis!r} is not known; use 'y' or 'z'")
    if not path.is_file():
        raise MeshError(f"{path}: no such mesh file")
    if suffix in (".glb", ".gltf"):
        from manyfields.views.gltf import read_gltf

        surfaces, remarks = read_gltf(path)
    elif suffix == ".obj":
        from manyfields.views.obj import read_obj

        surfaces, remarks = read_obj(path)
    else:
        from manyfields.views.ply import read_ply

        surfaces, remarks = read_ply(path)
    surfaces = [surface for surface in surfaces if len(surface.faces)]
    if not surfaces:
        raise MeshError(f"{path}: has no triangles{''.join(f'; {remark}' for remark in remarks[:2])}")
    return replace(_normalised(surfaces, _turn(yaw_deg) @ _AXES[axis], path), remarks=_few(remarks))


def _few(remarks: list[str]) -> tuple[str, ...]:
    """Each remark once and on one line; of very many, the first."""
    lines = list(dict.fromkeys(" ".join(remark.split()) for remark in remarks))
    more = len(lines) - _MOST_REMARKS
    return tuple(lines if more <= 0 else [*lines[:_MOST_REMARKS], f"and {more} more remarks of this kind"])


def _turn(yaw_deg: float) -> np.ndarray:
    angle = np.deg2rad(yaw_deg)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def _normalised(surfaces: list[Surface], axes: np.ndarray, path: Path) -> Mesh:
    for surface in surfaces:
        if surface.faces.min() < 0 or surface.faces.max() >= len(surface.vertices):
            raise MeshError(f"{path}: a triangle names a vertex that does not exist; export the mesh again")
    used = _used_vertices(surfaces) @ axes[:3, :3].T
    if not np.isfinite(used).all():
        raise MeshError(f"{path}: has vertices that are not finite numbers; export the mesh again")
    center = (used.min(0) + used.max(0)) / 2
    radius = float(np.linalg.norm(used - center, axis=1).max())
    if radius <= 0:
        raise MeshError(f"{path}: all vertices lie on one point")
    matrix = np.eye(4)
    matrix[:3, :3] = axes[:3, :3] * (FARTHEST / radius)
    matrix[:3, 3] = -center * (FARTHEST / radius)
    return Mesh(tuple(surface.transformed(matrix) for surface in surfaces), matrix)
