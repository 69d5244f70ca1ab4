"""Reading Wavefront OBJ files into surfaces: polygons of any number of corners, materials, colours of vertices.

Free-form curves, lines and points are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.mesh import Material, Surface
from manyfields.views.mesh_files import beside, content, linear_colors, numbers, parsed
from manyfields.views.mtl import Look, byte_lines, decoded, read_materials
from manyfields.views.polygons import triangulated

_LEFT_OUT = {b"curv": "curves", b"curv2": "curves", b"surf": "free-form surfaces", b"call": "other files (call)"}


@dataclass
class _Statements:
    """The lines of a file by what they are."""

    vertices: list[bytes] = field(default_factory=list)
    uvs: list[bytes] = field(default_factory=list)
    normals: list[bytes] = field(default_factory=list)
    faces: list[bytes] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)  # of each face: index in `names`
    flat: list[bool] = field(default_factory=list)  # of each face: smoothing is off
    before: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # of faces that count backwards
    names: list[str] = field(default_factory=lambda: [""])
    libraries: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)


def read_obj(path: Path) -> tuple[list[Surface], list[str]]:
    """All polygons of a file as triangles, in its coordinates, and what of it was not understood. Raises MeshError."""
    remarks: list[str] = []
    said = _sorted_lines(content(path))
    if not said.faces:
        return [], [*remarks, *(f"{what} are left out" for what in sorted(said.left_out))]
    remarks += [f"{what} are left out" for what in sorted(said.left_out)]
    table = numbers(said.vertices, path, "a vertex")
    if table.shape[1] < 3 or np.isnan(table[:-1, :3]).any():
        _refuse_short_vertex(path, table)
    points = table[:, :3]
    counts, corners = _corners(said, path, (len(said.vertices), len(said.uvs), len(said.normals)), remarks)
    used = np.unique(corners[:, 0])
    if not np.isfinite(points[used]).all():
        raise MeshError(f"{path}: has vertices that are not finite numbers; export the mesh again")
    triangles, owner = triangulated(points, corners[:, 0], counts)
    found = _materials(said, path, remarks)
    uvs = numbers(said.uvs, path, "a texture coordinate")[:, :2] if said.uvs else None
    normals = numbers(said.normals, path, "a normal")[:, :3] if said.normals else None
    if normals is not None and normals.shape[1] < 3:
        normals = None
    colors = _colors(table)
    looks, flat = np.array(said.looks), np.array(said.flat)
    with_uv, with_normals = ((corners[triangles, column] >= 0).all(axis=1) for column in (1, 2))
    groups = 8 * looks[owner] + 4 * flat[owner] + 2 * with_uv + with_normals
    surfaces = []
    for group in np.unique(groups):
        chosen = corners[triangles[groups == group]]
        look = found[group // 8]
        if uvs is None or not group & 2:
            if look.material.base_image is not None:
                name = said.names[group // 8]
                remarks.append(f"material {name} has a texture, but faces without texture coordinates")
            look = replace(look, material=look.plain)
        surfaces.append(_surface(points, uvs, normals, colors, chosen, look, bool(group & 4)))
    return surfaces, remarks


def _sorted_lines(data: bytes) -> _Statements:
    said = _Statements()
    look, flat = 0, False
    known = {"": 0}
    lists = {b"v": said.vertices, b"vt": said.uvs, b"vn": said.normals}
    for line in byte_lines(data):
        key, _, rest = line.replace(b"\t", b" ").strip().partition(b" ")
        if key in lists:
            lists[key].append(rest.partition(b"#")[0])
        elif key in (b"f", b"fo"):
            if b"-" in rest:
                said.before[len(said.faces)] = (len(said.vertices), len(said.uvs), len(said.normals))
            said.faces.append(rest.partition(b"#")[0])
            said.looks.append(look)
            said.flat.append(flat)
        elif key == b"s":
            flat = rest.strip().lower() in (b"off", b"0")
        elif key == b"usemtl":
            name = decoded(rest).strip()
            look = known.setdefault(name, len(known))
            if look == len(said.names):
                said.names.append(name)
        elif key == b"mtllib":
            said.libraries.append(decoded(rest).strip())
        elif key in _LEFT_OUT:
            said.left_out.add(_LEFT_OUT[key])
    return said


def _refuse_short_vertex(path: Path, table: np.ndarray) -> None:
    row = 0 if table.shape[1] < 3 else int(np.isnan(table[:, :3]).any(1).argmax())
    raise MeshError(f"{path}: vertex {row + 1} is not three finite numbers; export the mesh again")


def _corners(
    said: _Statements, path: Path, totals: tuple[int, int, int], remarks: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Corners of each face [P], and what they name [C, 3]: vertex, texture coordinate, normal; -1 for none."""
    words = [face.split() for face in said.faces]
    counts = np.array([len(each) for each in words])
    text = b" ".join(said.faces)
    slashes = {word.count(b"/") for each in words for word in each} if b"/" in text else {0}
    if slashes not in ({0}, {1}, {2}):
        text = b" ".join(word + b"/" * (2 - word.count(b"/")) for each in words for word in each)
        slashes = {2}
    width = slashes.pop() + 1
    if b"/" in text:
        text = (text + b" ").replace(b"//", b"/0/").replace(b"/ ", b"/0 ").replace(b"/", b" ")
    values = parsed(text)
    whole = values is not None and bool((np.abs(values) < 2**53).all() and (values == np.rint(values)).all())
    if values is None or not whole or len(values) != width * counts.sum():
        raise MeshError(f"{path}: has faces that are not of whole numbers; export the mesh again")
    named = np.zeros((len(values) // width, 3), dtype=np.int64)
    named[:, :width] = values.reshape(-1, width)
    for face, before in said.before.items():
        at = slice(int(counts[:face].sum()), int(counts[:face].sum()) + int(counts[face]))
        backwards = named[at] < 0
        named[at] = np.where(backwards, named[at] + np.array(before) + 1, named[at])
        named[at][backwards & (named[at] <= 0)] = -1
    vertices = named[:, 0]
    wrong = (vertices < 1) | (vertices > totals[0])
    if wrong.any():
        raise MeshError(
            f"{path}: a face names vertex {vertices[wrong][0]} of {totals[0]}, which does not exist; export it again"
        )
    for column, what in ((1, "texture coordinates"), (2, "normals")):
        absent = (named[:, column] < 0) | (named[:, column] > totals[column])
        if absent.any():
            named[absent, column] = 0
            remarks.append(f"some corners of faces name {what} that do not exist")
    if (counts < 3).any():
        remarks.append(f"{int((counts < 3).sum())} faces of fewer than three corners are left out")
    return counts, named - 1


def _materials(said: _Statements, path: Path, remarks: list[str]) -> list[Look]:
    """Of each name, whether it is used or not."""
    used = [said.names[index] for index in sorted(set(said.looks)) if said.names[index]]
    files: list[Path] = []
    for library in dict.fromkeys(said.libraries):
        whole = beside(path.parent, library)
        for name in [library] if whole is not None else library.split():
            file = beside(path.parent, name)
            if file is None and not name.lower().endswith(".mtl"):
                file = beside(path.parent, name + ".mtl")
            if file is not None:
                files.append(file)
            else:
                remarks.append(f"its materials {name} are not there; put them beside the mesh")
    if used and not files:
        own = beside(path.parent, path.with_suffix(".mtl").name)
        files = [own] if own is not None else []
        if own is None and not said.libraries:
            remarks.append("it names materials, but no file of them (mtllib)")
    found = read_materials(list(dict.fromkeys(files)), remarks) if used else {}
    alike = {name.casefold(): look for name, look in reversed(found.items())}
    result = []
    for index, name in enumerate(said.names):
        look = found.get(name) or alike.get(name.casefold())
        if look is None:
            look = Look(Material(), Material())
            if files and name in used and index:
                remarks.append(f"material {name} is in none of its material files; shown white")
        result.append(look)
    return result


def _colors(table: np.ndarray) -> np.ndarray | None:
    """Of vertices that are x y z r g b: linear [N, 4], white where they are bare; None where all are."""
    if table.shape[1] < 6 or np.isnan(table[:, 3:6]).all():
        return None
    colors = table[:, 3:6]
    return linear_colors(colors / 255 if np.nanmax(colors) > 1 else colors)


def _surface(
    points: np.ndarray,
    uvs: np.ndarray | None,
    normals: np.ndarray | None,
    colors: np.ndarray | None,
    triangles: np.ndarray,
    look: Look,
    flat: bool,
) -> Surface:
    """The triangles [T, 3 corners, 3 names] that share a material, with one vertex for each different corner."""
    has_uv = uvs is not None and bool((triangles[..., 1] >= 0).all())
    has_normals = normals is not None and bool((triangles[..., 2] >= 0).all())
    names = triangles.reshape(-1, 3)
    key = names[:, 0]
    for column, kept in ((1, has_uv), (2, has_normals)):
        if kept:
            key = np.unique(key * (names[:, column].max() + 1) + names[:, column], return_inverse=True)[1].reshape(-1)
    _, first, faces = np.unique(key, return_index=True, return_inverse=True)
    corner = names[first]
    vertices = points[corner[:, 0]]
    faces = faces.reshape(-1, 3)
    uv, normal = None, None
    if has_uv:
        assert uvs is not None
        uv = np.nan_to_num(uvs[corner[:, 1]])
        uv = uv[:, :2] if uv.shape[1] > 1 else np.pad(uv, ((0, 0), (0, 1)))
        uv = uv * look.scale + look.shift
        uv[:, 1] = 1 - uv[:, 1]
    if has_normals:
        assert normals is not None
        length = np.linalg.norm(normals[corner[:, 2]], axis=1, keepdims=True)
        if (length > 0).all():  # a normal that is zero or no number says nothing: all are computed
            normal = normals[corner[:, 2]] / length
    chosen = None if colors is None else colors[corner[:, 0]]
    return Surface(vertices, faces, normal, uv, chosen, look.material, flat=flat)
