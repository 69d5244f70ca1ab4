"""What a mesh is: surfaces of triangles with their materials."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class TextureSampler:
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
    samplers: dict[str, TextureSampler] = field(default_factory=dict)
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


def _used_vertices(surfaces: tuple[Surface, ...] | list[Surface]) -> np.ndarray:
    return np.concatenate([surface.vertices[np.unique(surface.faces)] for surface in surfaces])


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """The sRGB transfer function (IEC 61966-2-1), values in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Inverse of `srgb_to_linear`."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 1e-12) ** (1 / 2.4) - 0.055)
