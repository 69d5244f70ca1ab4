"""Reading glTF 2.0 and GLB files into surfaces (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).

Only what a picture of the object at rest needs: triangles where nodes, instances and skins put them, morph targets with
their weights at rest, materials, embedded or neighbouring buffers and images. What is not understood becomes a remark,
or, where the picture would be wrong without it, an error.

    container     GLB or JSON            geometry      primitives, morph targets
    resources     files beside it        scene         nodes, instances, skins
    buffers       accessors              textures      images, samplers, coordinates
    meshopt, draco  compression          materials     looks
    extensions    which are understood
"""

from __future__ import annotations

import struct
from pathlib import Path

from manyfields.errors import MeshError
from manyfields.views.gltf.buffers import Buffers
from manyfields.views.gltf.container import parse
from manyfields.views.gltf.extensions import judge
from manyfields.views.gltf.geometry import Geometry
from manyfields.views.gltf.materials import Materials
from manyfields.views.gltf.scene import SceneNodes
from manyfields.views.gltf.textures import Textures
from manyfields.views.mesh import Surface

__all__ = ["read_gltf"]


def read_gltf(path: Path) -> tuple[list[Surface], list[str]]:
    """All triangles of the default scene, in the coordinates of the file (y up), and remarks. Raises MeshError.

    >>> from manyfields.views.inventory import make_inventory
    >>> [path] = make_inventory(Path("meshes"), "vehicle", 1)
    >>> surfaces, remarks = read_gltf(path)
    >>> surfaces[0].faces.shape[1], remarks
    (3, [])
    """
    try:
        document, binary = parse(path)
        remarks: list[str] = []
        judge(path, document, remarks)
        buffers = Buffers(path, document, binary)
        materials = Materials(Textures(buffers, remarks))
        surfaces = SceneNodes(buffers, Geometry(buffers, materials, remarks), remarks).surfaces()
        return surfaces, remarks + materials.notes()
    except MeshError:
        raise
    except (
        KeyError,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
        OSError,
        struct.error,
        RecursionError,
    ) as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise MeshError(f"{path}: is not a glTF file that can be read ({detail}); export it again") from error
