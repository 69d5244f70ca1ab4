"""Primitives that Draco compressed (KHR_draco_mesh_compression), decoded by DracoPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from manyfields.errors import MeshError

EXTENSION = "KHR_draco_mesh_compression"


def decode(path: Path, data: bytes, ids: dict[str, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Attributes [N, width] by glTF's names (`ids`: Draco's number of each), vertex indices [3 F]. Raises MeshError."""
    try:
        import DracoPy
    except ImportError as error:
        raise MeshError(
            f"{path}: is Draco-compressed; pip install 'manyfields[draco]', or export it without compression"
        ) from error
    try:
        mesh = DracoPy.decode(bytes(data))
        found = {each["unique_id"]: np.asarray(each["data"]) for each in mesh.attributes}
        attributes = {name: found[number] for name, number in ids.items() if number in found}
        faces = np.asarray(mesh.faces, np.int64)
    except (ValueError, AttributeError, KeyError, TypeError, DracoPy.FileTypeException) as error:
        detail = " ".join(f"{error}".split())[:200]
        raise MeshError(f"{path}: its Draco data cannot be decoded ({detail}); export it again") from error
    if "POSITION" not in attributes:
        raise MeshError(f"{path}: its Draco data hold no positions; export it again")
    return attributes, faces.reshape(-1)
