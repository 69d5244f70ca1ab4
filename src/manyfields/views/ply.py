"""Reading PLY files (Turk 1994) into surfaces: text and both binary forms, colours, texture coordinates, strips.

Counts of the header are compared with the file before memory is taken for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.mesh_files import linear_colors, parsed, texture_beside
from manyfields.views.meshes import Material, Surface
from manyfields.views.polygons import triangulated

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_UV = (("u", "v"), ("s", "t"), ("texture_u", "texture_v"), ("tu", "tv"), ("u0", "v0"), ("texture_s", "texture_t"))
_COLORS = (
    ("red", "green", "blue", "alpha"),
    ("r", "g", "b", "a"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", ""),
)
_CORNERS = ("vertex_indices", "vertex_index")


@dataclass
class _Element:
    """A table of the file; properties are (name, type, type of the count or None for a single value)."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)  # of lists, whose values stand one after another
    types: dict[str, str] = field(default_factory=dict)


def read_ply(path: Path) -> tuple[list[Surface], list[str]]:
    """All polygons of a file as triangles, in its coordinates, and what of it was not understood. Raises MeshError."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise MeshError(f"{path}: is empty; copy it again")
    elements, order, textures, start = _header(data, path)
    remarks: list[str] = []
    if order == "":
        _read_text(elements, data[start:], path)
    else:
        _read_binary(elements, data, start, order, path)
    tables = {element.name: element for element in elements}
    vertex = tables.get("vertex")
    if vertex is None or not all(axis in vertex.values for axis in "xyz"):
        raise MeshError(f"{path}: has no vertices with x, y and z; export it again")
    face = _faces(tables)
    if face is None:
        return [], [f"it is a cloud of {vertex.count} points; a surface is needed"]
    return _surfaces(vertex, face, textures, path, remarks), remarks


def _header(data: bytes, path: Path) -> tuple[list[_Element], str, list[str], int]:
    """The tables, the byte order ("" for text), the textures that comments name, and where the values begin."""
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise MeshError(f"{path}: is not a PLY file, or cut short in its header; copy it again")
    stop = end + len(b"end_header")
    while data[stop : stop + 1] in (b" ", b"\t"):
        stop += 1
    stop += 2 if data[stop : stop + 2] == b"\r\n" else 1
    elements: list[_Element] = []
    order: str | None = None
    textures: list[str] = []
    for line in data[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        try:
            if not words or words[0] == "obj_info":
                continue
            if words[0] == "comment":
                if len(words) > 2 and words[1].lower() == "texturefile":
                    name = line.split(None, 2)[2].strip()
                    textures.append(name.encode("latin-1").decode("utf-8", "replace"))
            elif words[0] == "format":
                order = _FORMATS[words[1]]
            elif words[0] == "element":
                elements.append(_Element(words[1], int(words[2])))
                if elements[-1].count < 0:
                    raise ValueError(words[2])
            elif words[0] == "property" and words[1] == "list":
                elements[-1].properties.append((words[4], _TYPES[words[3]], _TYPES[words[2]]))
            elif words[0] == "property":
                elements[-1].properties.append((words[2], _TYPES[words[1]], None))
            else:
                raise ValueError(words[0])
        except (KeyError, IndexError, ValueError):
            raise MeshError(f"{path}: its header has a line {line.strip()[:60]!r} that is not understood") from None
    if order is None:
        raise MeshError(f"{path}: its header names no format; export it again")
    return elements, order, textures, stop


def _short(path: Path, element: _Element) -> MeshError:
    return MeshError(
        f"{path}: is cut short or damaged: it holds fewer than the {element.count} of {element.name} that its header "
        "counts; copy it again"
    )


def _read_binary(elements: list[_Element], data: bytes, start: int, order: str, path: Path) -> None:
    at = start
    for element in elements:
        element.types = {name: kind for name, kind, _ in element.properties}
        least = sum(np.dtype(length or kind).itemsize for _, kind, length in element.properties)
        if element.count * least > len(data) - at:
            raise _short(path, element)
        if any(length is not None for _, _, length in element.properties):
            at = _binary_lists(element, data, at, order, path)
        elif least:
            table = np.frombuffer(data, [(n, order + k) for n, k, _ in element.properties], element.count, at)
            element.values = {name: table[name].astype(np.float64) for name, _, _ in element.properties}
            at += element.count * least


def _binary_lists(element: _Element, data: bytes, at: int, order: str, path: Path) -> int:
    """A table with lists: at once where all rows have lists as long as the first's, else row by row."""
    if not element.count:
        return at
    try:
        form, _ = _row_form(element, data, at, order)
        size = form.itemsize
        if size * element.count <= len(data) - at:
            table = np.frombuffer(data, form, element.count, at)
            if all((table[f"#{n}"] == table[f"#{n}"][0]).all() for n, _, length in element.properties if length):
                for name, _, length in element.properties:
                    element.values[name] = table[name].astype(np.float64).reshape(-1)
                    if length:
                        element.lengths[name] = table[f"#{name}"].astype(np.int64)
                return at + size * element.count
        rows: dict[str, list[np.ndarray]] = {name: [] for name, _, _ in element.properties}
        for _ in range(element.count):
            for name, kind, length in element.properties:
                count = 1
                if length:
                    count = int(np.frombuffer(data, order + length, 1, at)[0])
                    at += np.dtype(length).itemsize
                values = np.frombuffer(data, order + kind, count, at) if count > 0 else np.zeros(0)
                rows[name].append(values)
                at += values.nbytes if count > 0 else 0
    except ValueError:  # beyond the end
        raise _short(path, element) from None
    for name, _, length in element.properties:
        element.values[name] = np.concatenate(rows[name]).astype(np.float64)
        if length:
            element.lengths[name] = np.array([len(values) for values in rows[name]], dtype=np.int64)
    return at


def _row_form(element: _Element, data: bytes, at: int, order: str) -> tuple[np.dtype, int]:
    """The first row's layout. Raises ValueError where it goes beyond the file."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for name, kind, length in element.properties:
        if length is None:
            fields.append((name, order + kind))
            at += np.dtype(kind).itemsize
            continue
        count = int(np.frombuffer(data, order + length, 1, at)[0])
        at += np.dtype(length).itemsize + max(count, 0) * np.dtype(kind).itemsize
        if at > len(data):
            raise ValueError
        fields += [(f"#{name}", order + length), (name, order + kind, (max(count, 0),))]
    return np.dtype(fields), at


def _read_text(elements: list[_Element], text: bytes, path: Path) -> None:
    values = parsed(text)
    if values is None:
        raise MeshError(f"{path}: has values that are not numbers; export it again")
    at = 0
    for element in elements:
        element.types = {name: kind for name, kind, _ in element.properties}
        width = len(element.properties)
        if element.count * width > len(values) - at:
            raise _short(path, element)
        if all(length is None for _, _, length in element.properties):
            table = values[at : at + element.count * width].reshape(element.count, width)
            element.values = {name: table[:, i] for i, (name, _, _) in enumerate(element.properties)}
            at += table.size
        else:
            at = _text_lists(element, values, at, path)


def _text_lists(element: _Element, values: np.ndarray, at: int, path: Path) -> int:
    rows: dict[str, list[np.ndarray]] = {name: [] for name, _, _ in element.properties}
    for _ in range(element.count):
        for name, _, length in element.properties:
            count = 1
            if length:
                if at >= len(values):
                    raise _short(path, element)
                count, at = int(np.nan_to_num(values[at])), at + 1
            if count < 0 or at + count > len(values):
                raise _short(path, element)
            rows[name].append(values[at : at + count])
            at += count
    for name, _, length in element.properties:
        element.values[name] = np.concatenate(rows[name]) if rows[name] else np.zeros(0)
        if length:
            element.lengths[name] = np.array([len(row) for row in rows[name]], dtype=np.int64)
    return at


def _faces(tables: dict[str, _Element]) -> _Element | None:
    """The table of polygons, triangle strips among them turned into triangles."""
    face = tables.get("face")
    if face is not None and face.count and any(name in face.lengths for name in _CORNERS):
        return face
    strips = tables.get("tristrips")
    if strips is None or not strips.count or _CORNERS[0] not in strips.lengths:
        return None
    triangles = []
    ends = np.cumsum(strips.lengths[_CORNERS[0]])[:-1]
    for strip in np.split(strips.values[_CORNERS[0]], ends):
        for run in np.split(strip, np.flatnonzero(strip < 0)):
            run = run[run >= 0]
            if len(run) > 2:
                made = np.stack([run[:-2], run[1:-1], run[2:]], axis=1)
                made[1::2] = made[1::2][:, [1, 0, 2]]  # every second triangle of a strip is turned the other way
                triangles.append(made[(made != np.roll(made, 1, axis=1)).all(1)])
    if not triangles:
        return None
    corners = np.concatenate(triangles)
    made_face = _Element("face", len(corners))
    made_face.values, made_face.lengths = {_CORNERS[0]: corners.reshape(-1)}, {_CORNERS[0]: np.full(len(corners), 3)}
    return made_face


def _surfaces(vertex: _Element, face: _Element, textures: list[str], path: Path, remarks: list[str]) -> list[Surface]:
    """One surface for each texture."""
    name = next(name for name in _CORNERS if name in face.lengths)
    points = np.stack([vertex.values[axis] for axis in "xyz"], axis=1)
    indices, counts = face.values[name], face.lengths[name]
    if not np.isfinite(indices).all() or (indices < 0).any() or (indices >= len(points)).any():
        raise MeshError(f"{path}: a face names a vertex that does not exist; export the mesh again")
    corners = indices.astype(np.int64)
    if not np.isfinite(points[corners]).all():
        raise MeshError(f"{path}: has vertices that are not finite numbers; export the mesh again")
    triangles, owner = triangulated(points, corners, counts)
    if (counts < 3).any():
        remarks.append(f"{int((counts < 3).sum())} faces of fewer than three corners are left out")
    colors, by_face = _colors(vertex, remarks), _colors(face, remarks)
    uv, by_corner = _texture_coordinates(vertex, face, counts, remarks)
    numbers = face.values.get("texnumber", np.zeros(face.count))[owner].astype(np.int64)
    if len(textures) < 2:
        numbers = np.zeros_like(numbers)
    normals = None
    if all(axis in vertex.values for axis in ("nx", "ny", "nz")):
        normals = np.stack([vertex.values[axis] for axis in ("nx", "ny", "nz")], axis=1)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / length if (length > 0).all() else None
    surfaces = []
    for number in np.unique(numbers):
        chosen = triangles[numbers == number]
        at = corners[chosen.reshape(-1)]  # vertices, one for each corner
        if by_face is None and not by_corner:
            used, faces = np.unique(at, return_inverse=True)
            corner_uv = None if uv is None else uv[used]
            corner_color = None if colors is None else colors[used]
        else:
            used, faces = at, np.arange(len(at))
            corner_uv = None if uv is None else uv[chosen.reshape(-1) if by_corner else at]
            corner_color = None if colors is None else colors[at]
            if by_face is not None:
                corner_color = np.repeat(by_face[owner[numbers == number]], 3, axis=0)
        material = _material(textures, int(number), corner_uv, corner_color, path, remarks)
        corner_normals = None if normals is None else normals[used]
        surfaces.append(Surface(points[used], faces.reshape(-1, 3), corner_normals, corner_uv, corner_color, material))
    return surfaces


def _material(
    textures: list[str], number: int, uv: np.ndarray | None, colors: np.ndarray | None, path: Path, remarks: list[str]
) -> Material:
    image = None
    if 0 <= number < len(textures) and uv is not None:
        image = texture_beside(path.parent, textures[number], "the mesh", remarks)
    elif textures and uv is None:
        remarks.append(f"it names the texture {textures[0]}, but has no texture coordinates")
    through = colors is not None and bool((colors[:, 3] < 1).any())
    return Material(base_image=None if image is None else image[..., :3], alpha_mode="BLEND" if through else "OPAQUE")


def _colors(element: _Element, remarks: list[str]) -> np.ndarray | None:
    """Linear colours [N, 4] of vertices or faces, taken as sRGB; whole numbers by what their type can hold."""
    for names in _COLORS:
        if not all(name in element.values for name in names[:3]):
            continue
        parts = []
        for name in names:
            if name not in element.values:
                continue
            kind = np.dtype(element.types[name])
            values = element.values[name]
            most = float(np.iinfo(kind).max) if kind.itemsize < 4 and kind.kind in "iu" else 255.0
            floating = kind.kind == "f" and not (np.nan_to_num(values) > 1).any()
            parts.append(values if floating else values / most)
        colors = linear_colors(np.stack(parts, axis=1))
        if len(colors) and (colors[:, 3] <= 0).all():
            remarks.append("its colours are all invisible (alpha 0); taken for opaque")
            colors[:, 3] = 1
        return colors
    return None


def _texture_coordinates(
    vertex: _Element, face: _Element, counts: np.ndarray, remarks: list[str]
) -> tuple[np.ndarray | None, bool]:
    """v down, [N, 2] of vertices, or of corners where the flag says so."""
    listed = face.lengths.get("texcoord")
    if listed is not None:
        if (listed == 2 * counts).all():
            uv = face.values["texcoord"].reshape(-1, 2)
            return np.nan_to_num(np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)), True
        if listed.any():
            remarks.append("its faces have other numbers of texture coordinates than of corners; they are left out")
    for across, up in _UV:
        if across in vertex.values and up in vertex.values:
            uv = np.stack([vertex.values[across], 1 - vertex.values[up]], axis=1)
            return np.nan_to_num(uv), False
    return None, False
