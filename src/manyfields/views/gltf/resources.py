"""What a glTF file refers to by URI: data within it, or files beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote_to_bytes

from manyfields.errors import MeshError
from manyfields.views.mesh_files import beside


def resource(path: Path, uri: str) -> bytes:
    """The bytes behind a URI of the file `path`. Raises MeshError."""
    if uri.startswith("data:"):
        kind, _, data = uri.partition(",")
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw + b"=" * (-len(raw) % 4)) if kind.endswith(";base64") else raw
    if "://" in uri:
        raise MeshError(f"{path}: refers to {uri[:200]}, which is not fetched; keep its files beside it")
    file = beside(path.parent, uri)
    if file is None:
        raise MeshError(f"{path}: refers to {uri[:200]}, which is not there; keep it beside the mesh")
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise MeshError(f"{path}: refers to {uri[:200]}, outside its own folder; keep its files beside it")
    return file.read_bytes()
