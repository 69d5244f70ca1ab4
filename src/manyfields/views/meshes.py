"""Meshes of files in one common form: triangles with materials, in world axes, of a normalised size.

Reads GLB and glTF (`gltf/`), OBJ (`obj.py`) and PLY (`ply.py`). What a file calls its material becomes a `Material`
with linear colours, as in glTF 2.0; vertex colours of PLY and OBJ files are taken as sRGB, those of glTF as linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyfields.errors import MeshError

SUFFIXES = (".glb", ".gltf", ".obj", ".ply")
_MOST_REMARKS = 12  # of one mesh
FARTHEST = 0.9  # distance of the farthest vertex from the origin after `normalised`

_AXES = {
    "y": np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64),
    "z": np.eye(4),
}


@dataclass(frozen=True)
class Sampler:
    """How a texture goes on beyond its edges along u and v: "repeat", "clamp", "mirror"; whether texels are blended."""

    wrap: tuple[str, str] = ("repeat", "repeat")
    smooth: bool = True


@dataclass(frozen=True)
class Material:
    """A glTF metallic-roughness material. Colours are linear; images are uint8 arrays [H, W, C], row 0 at the top.

    `samplers` holds those of textures that do not simply repeat: "base", "metallic_roughness", "normal", "emissive".
    An `unlit` material shows its base colour whatever the light.
    """

    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    base_image: np.ndarray | None = None  # RGB or RGBA, sRGB
    metallic: float = 0.0
    roughness: float = 0.9
    metallic_roughness_image: np.ndarray | None = None  # G roughness, B metallic, linear
    normal_image: np.ndarray | None = None
    normal_scale: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_image: np.ndarray | None = None
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    samplers: dict[str, Sampler] = field(default_factory=dict)
    unlit: bool = False


@dataclass(frozen=True)
class Surface:
    """Triangles that share a material.

    vertices [N, 3] float64, faces [F, 3] int64, normals [N, 3] unit length or None, uv [N, 2] with v down as in glTF or
    None, colors [N, 4] float32 linear or None. `own_uv` holds the coordinates [N, 2] of those textures ("normal", ..)
    that have others than the base colour's `uv`. Without normals, edges of less than 35 degrees look smooth, or none
    do where the surface is `flat`.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray | None = None
    uv: np.ndarray | None = None
    colors: np.ndarray | None = None
    material: Material = field(default_factory=Material)
    own_uv: dict[str, np.ndarray] = field(default_factory=dict)
    flat: bool = False

    def transformed(self, matrix: np.ndarray) -> Surface:
        """The surface after a 4x4 affine map; mirroring turns the triangles so that they keep their outer side."""
        linear = matrix[:3, :3]
        faces = self.faces[:, ::-1] if np.linalg.det(linear) < 0 else self.faces
        normals = self.normals
        if normals is not None:
            normals = normals @ np.linalg.pinv(linear)  # rows: (inverse transpose @ n)^T
            normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        vertices = self.vertices @ linear.T + matrix[:3, 3]
        return replace(self, vertices=vertices, faces=np.ascontiguousarray(faces), normals=normals)


@dataclass(frozen=True)
class Mesh:
    """One object: its surfaces in world coordinates and the matrix that brought them there from file coordinates.

    `remarks` says, one line each, what of the file was not understood or had to be guessed, for whoever shows its name.
    """

    surfaces: tuple[Surface, ...]
    model_to_world: np.ndarray  # [4, 4] float64
    remarks: tuple[str, ...] = ()

    @property
    def bounds(self) -> np.ndarray:
        """Smallest and largest corner [2, 3] of the bounding box of all vertices that a triangle uses."""
        used = _used_vertices(self.surfaces)
        return np.stack([used.min(0), used.max(0)])


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


def _used_vertices(surfaces: tuple[Surface, ...] | list[Surface]) -> np.ndarray:
    return np.concatenate([surface.vertices[np.unique(surface.faces)] for surface in surfaces])


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


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """The sRGB transfer function (IEC 61966-2-1), values in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Inverse of `srgb_to_linear`."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 1e-12) ** (1 / 2.4) - 0.055)
