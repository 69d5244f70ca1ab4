"""Which meshes a folder holds, and what a `manifest.json` beside them says of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyfields._io import read_json
from manyfields.errors import MeshError
from manyfields.views.meshes import SUFFIXES


@dataclass(frozen=True)
class MeshSource:
    """A mesh to render: its file, the name of the object it becomes, and what a `manifest.json` beside it says."""

    id: str
    path: Path
    object_class: str
    group: str
    yaw_deg: float = 0.0


def find_meshes(folder: Path) -> list[MeshSource]:
    """The meshes of a folder (or one mesh file), sorted by id; or those that a `manifest.json` in it lists, in order.

    A manifest is a list of {"id", "file", "yaw_deg", "group"}; "file" may be relative to the folder or to its parent;
    entries without a file on disk are left for `render_set` to report. Raises MeshError.
    """
    folder = Path(folder)
    if folder.is_file():
        return [MeshSource(folder.stem, folder, folder.resolve().parent.name, folder.stem)]
    if not folder.is_dir():
        raise MeshError(f"{folder}: no such folder of meshes")
    label = folder.resolve().name
    manifest = folder / "manifest.json"
    if manifest.is_file():
        sources = [_listed(folder, label, entry) for entry in _manifest_entries(manifest)]
    else:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        names = ["-".join(path.relative_to(folder).with_suffix("").parts) for path in files]
        sources = [MeshSource(name, path, label, name) for name, path in zip(names, files, strict=True)]
    if not sources:
        raise MeshError(f"{folder}: holds no mesh; put {', '.join(SUFFIXES)} files there")
    seen: set[str] = set()
    for source in sources:
        if source.id in seen:
            raise MeshError(f"{folder}: two meshes are called {source.id!r}; rename one")
        if not source.id or source.id in (".", "..") or any(letter in source.id for letter in "/\\\0"):
            raise MeshError(f"{folder}: {source.id!r} cannot be the name of an object's folder; rename it")
        seen.add(source.id)
    return sources


def _manifest_entries(manifest: Path) -> list[dict[str, Any]]:
    try:
        entries = read_json(manifest)
    except (ValueError, OSError) as error:
        raise MeshError(f"{manifest}: is not readable JSON ({error}); mend or remove it") from error
    good = isinstance(entries, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("id"), str) and isinstance(entry.get("file"), str)
        for entry in entries
    )
    if not good:
        raise MeshError(f'{manifest}: is not a list of {{"id", "file", ...}} entries; mend or remove it')
    return entries


def _listed(folder: Path, label: str, entry: dict[str, Any]) -> MeshSource:
    yaw = entry.get("yaw_deg", 0.0)
    if not isinstance(yaw, int | float) or not math.isfinite(yaw):
        raise MeshError(f"{folder / 'manifest.json'}: yaw_deg of {entry['id']!r} is not a number; mend it")
    beside = folder / entry["file"]
    path = beside if beside.is_file() else folder.parent / entry["file"]
    group = str(entry.get("group") or entry["id"])
    return MeshSource(entry["id"], path, str(entry.get("class") or label), group, float(yaw))
