"""A procedural object: shapes with finishes, and its GLB bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfields.views.inventory.shapes import Shape, joined, shaded
from manyfields.views.mesh import srgb_to_linear

Color = tuple[float, float, float]  # sRGB in [0, 1]


@dataclass(frozen=True, eq=False)
class Finish:
    """The look of a surface: an sRGB colour or a pattern (uint8 image [H, W, 3], sRGB) on its texture coordinates."""

    color: Color = (1.0, 1.0, 1.0)
    roughness: float = 0.7
    metallic: float = 0.0
    pattern: np.ndarray | None = None


class Model:
    """Collects shapes by finish (x right, front at -y, z up) and writes them as one GLB (y up, front at +z)."""

    def __init__(self) -> None:
        self._parts: dict[Finish, list[Shape]] = {}

    def add(self, shape: Shape, finish: Finish) -> None:
        self._parts.setdefault(finish, []).append(shape)

    def add_pair(self, shape: Shape, finish: Finish) -> None:
        """The shape and its mirror image in x = 0."""
        self.add(shape, finish)
        self.add(shape.mirrored(), finish)

    def glb(self) -> bytes:
        import trimesh

        scene = trimesh.Scene()
        for number, (finish, shapes) in enumerate(self._parts.items()):
            shape, normals = shaded(joined(shapes))
            uv = np.stack([shape.uv[:, 0], 1 - shape.uv[:, 1]], axis=1) if finish.pattern is not None else None
            mesh = trimesh.Trimesh(
                _y_up(shape.vertices), shape.faces, vertex_normals=_y_up(normals), process=False,
                visual=trimesh.visual.TextureVisuals(uv=uv, material=_material(finish, f"finish-{number}")),
            )  # fmt: skip
            scene.add_geometry(mesh, node_name=f"part-{number}", geom_name=f"part-{number}")
        return scene.export(file_type="glb", include_normals=True)


def _y_up(points: np.ndarray) -> np.ndarray:
    """World (x, y, z) to glTF (x, z, -y)."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1)


def _material(finish: Finish, name: str) -> Any:
    import trimesh
    from PIL import Image

    image = None if finish.pattern is None else Image.fromarray(finish.pattern)
    linear = srgb_to_linear(np.asarray(finish.color)) if image is None else np.ones(3)
    return trimesh.visual.material.PBRMaterial(
        name=name,
        baseColorFactor=np.append(np.rint(linear * 255), 255).astype(np.uint8),
        baseColorTexture=image,
        roughnessFactor=finish.roughness,
        metallicFactor=finish.metallic,
    )
