"""What a glTF file refers to by URI: data within it, or files beside it."""

from __future__ import annotations

import base64
import unicodedata
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from manyfields.errors import MeshError


def resource(path: Path, uri: str) -> bytes:
    """The bytes behind a URI of the file `path`. Raises MeshError."""
    if uri.startswith("data:"):
        kind, _, data = uri.partition(",")
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw + b"=" * (-len(raw) % 4)) if kind.endswith(";base64") else raw
    if "://" in uri:
        raise MeshError(f"{path}: refers to {uri[:200]}, which is not fetched; keep its files beside it")
    file = beside(path.parent, uri)
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise MeshError(f"{path}: refers to {uri[:200]}, outside its own folder; keep its files beside it")
    if not file.is_file():
        raise MeshError(f"{path}: refers to {uri[:200]}, which is not there; keep it beside the mesh")
    return file.read_bytes()


def beside(folder: Path, uri: str) -> Path:
    """The file that a URI names: percent-encoded or not, with Windows' backslashes, in any Unicode form or case."""
    names = [unquote(uri), uri]
    names += [name.replace("\\", "/") for name in names]
    names += [unicodedata.normalize(form, name) for form in ("NFC", "NFD") for name in names]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    place = folder
    for part in Path(names[2]).parts:
        exact = place / part
        if part != ".." and not exact.exists() and place.is_dir():
            alike = [each for each in sorted(place.iterdir()) if _folded(each.name) == _folded(part)]
            exact = alike[0] if alike else exact
        place = exact
    return place


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
