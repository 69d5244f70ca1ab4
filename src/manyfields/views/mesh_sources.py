"""Which meshes a folder holds, and what a `manifest.json` beside them says of each."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyfields._io import read_json
from manyfields.errors import MeshError
from manyfields.names import fit_name, fit_text, printable, same_name
from manyfields.views.mesh import Mesh
from manyfields.views.meshes import SUFFIXES, read_mesh


@dataclass(frozen=True)
class MeshSource:
    """A mesh to render: its file, the name of the object it becomes, and what a `manifest.json` beside it says.

    `remarks` tells how it came by another name than its own; `fault` why it cannot be rendered, where that is known.
    """

    id: str
    path: Path
    object_class: str
    group: str
    yaw_deg: float = 0.0
    remarks: tuple[str, ...] = ()
    fault: str | None = None


def find_meshes(folder: Path) -> list[MeshSource]:
    """The meshes of a folder (or one mesh file), sorted by id; or those that a `manifest.json` in it lists, in order.

    A manifest is a list of {"id", "file", "yaw_deg", "group", "class"}; "file" may be relative to the folder or to its
    parent; entries that cannot be used are left for `render_set` to report. Meshes that would have one name get names
    of their own and stay variants of one design. Files and folders whose name begins with a dot are passed over.
    Raises MeshError.
    """
    folder = Path(folder)
    if folder.is_file():
        return _named([MeshSource(folder.stem, folder, folder.resolve().parent.name, folder.stem)])
    if not folder.is_dir():
        raise MeshError(f"{folder}: no such folder of meshes")
    label = folder.resolve().name
    manifest = folder / "manifest.json"
    if manifest.is_file():
        entries = _manifest_entries(manifest)
        sources = [_listed(folder, label, number, entry) for number, entry in enumerate(entries, 1)]
    else:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        files = [path for path in files if not _is_hidden(path.relative_to(folder))]
        names = ["-".join(path.relative_to(folder).with_suffix("").parts) for path in files]
        sources = [MeshSource(name, path, label, name) for name, path in zip(names, files, strict=True)]
    if not sources:
        raise MeshError(f"{folder}: holds no mesh; put {', '.join(SUFFIXES)} files there")
    return _named(sources)


def load(source: MeshSource, up: str | None = None) -> Mesh:
    """The mesh of a source, with the remarks of both. Raises MeshError."""
    if source.fault is not None:
        raise MeshError(source.fault)
    mesh = read_mesh(source.path, up=up, yaw_deg=source.yaw_deg)
    return replace(mesh, remarks=tuple(map(printable, (*source.remarks, *mesh.remarks))))


def _is_hidden(path: Path) -> bool:
    """Also what macOS puts beside the files of an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _named(sources: list[MeshSource]) -> list[MeshSource]:
    """Names that a folder can have, that UTF-8 can write, and that no file system takes for one another.

    Those that would be alike get the format at their end, and a number where that is not enough.
    """
    fit = [replace(source, id=fit_name(source.id) or "object") for source in sources]
    alike: dict[str, list[MeshSource]] = {}
    for source in fit:
        alike.setdefault(same_name(source.id), []).append(source)
    taken = {key for key, group in alike.items() if len(group) == 1}
    result = []
    for given, source in zip(sources, fit, strict=True):
        group = alike[same_name(source.id)]
        name, why = source.id, ""
        if len(group) > 1:
            suffixes = Counter(each.path.suffix.lower() for each in group)
            name = f"{source.id}-{source.path.suffix[1:].lower()}" if len(suffixes) > 1 else source.id
            name = _free(name, taken)
            others = ", ".join(printable(each.path.name) for each in group if each is not source)
            why = f"{others} would be called {group[0].id}, too: this one is {name}"
        elif name != given.id:
            why = f"{given.id} cannot be the name of an object: it is {name}"
        taken.add(same_name(name))
        remarks = (*source.remarks, f"{printable(source.path.name)}: {printable(why)}") if why else source.remarks
        label, design = fit_text(source.object_class), fit_text(source.group)
        result.append(replace(source, id=name, object_class=label, group=design, remarks=remarks))
    return result


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while same_name(free) in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _manifest_entries(manifest: Path) -> list[Any]:
    try:
        entries = read_json(manifest)
    except (ValueError, OSError) as error:
        raise MeshError(f"{manifest}: is not readable JSON ({error}); mend or remove it") from error
    if not isinstance(entries, list):
        raise MeshError(f'{manifest}: is not a list of {{"id", "file", ...}} entries; mend or remove it')
    return entries


def _listed(folder: Path, label: str, number: int, entry: Any) -> MeshSource:
    """One entry; where it is no good, with its `fault`."""
    manifest = folder / "manifest.json"
    whole = isinstance(entry, dict) and isinstance(entry.get("id"), str) and isinstance(entry.get("file"), str)
    if not whole:
        known = entry.get("id") if isinstance(entry, dict) else None
        name = known if isinstance(known, str) and known else f"entry-{number}"
        fault = f'{manifest}: entry {number} is not a {{"id", "file", ...}} of texts; mend it'
        return MeshSource(name, manifest, label, name, fault=fault)
    beside = folder / entry["file"]
    path = beside if beside.is_file() else folder.parent / entry["file"]
    group = str(entry.get("group") or entry["id"])
    source = MeshSource(entry["id"], path, str(entry.get("class") or label), group)
    yaw = entry.get("yaw_deg", 0.0)
    if isinstance(yaw, bool) or not isinstance(yaw, int | float) or not math.isfinite(yaw):
        return replace(source, fault=f"{manifest}: yaw_deg of {entry['id']!r} is not a number; mend it")
    return replace(source, yaw_deg=float(yaw))
