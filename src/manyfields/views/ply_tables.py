"""The tables of a PLY file (Turk 1994): text and both binary forms.

Counts of the header are compared with the file before memory is taken for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from manyfields.errors import MeshError
from manyfields.views.mesh_files import content, parsed

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass
class PlyTable:
    """A table of the file; properties are (name, type, type of the count or None for a single value)."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)  # of lists, whose values stand one after another
    types: dict[str, str] = field(default_factory=dict)


def read_tables(path: Path) -> tuple[dict[str, PlyTable], list[str]]:
    """The tables of a file by name, and the textures that its comments name. Raises MeshError."""
    data = content(path).removeprefix(b"\xef\xbb\xbf")
    tables, order, textures, start = _header(data, path)
    if order == "":
        _read_text(tables, data[start:], path)
    else:
        _read_binary(tables, data, start, order, path)
    return {table.name: table for table in tables}, textures


def _header(data: bytes, path: Path) -> tuple[list[PlyTable], str, list[str], int]:
    """The tables, the byte order ("" for text), the textures that comments name, and where the values begin."""
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise MeshError(f"{path}: is not a PLY file, or cut short in its header; copy it again")
    stop = end + len(b"end_header")
    while data[stop : stop + 1] in (b" ", b"\t"):
        stop += 1
    stop += 2 if data[stop : stop + 2] == b"\r\n" else 1
    elements: list[PlyTable] = []
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
                elements.append(PlyTable(words[1], int(words[2])))
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


def _short(path: Path, element: PlyTable) -> MeshError:
    return MeshError(
        f"{path}: is cut short or damaged: it holds fewer than the {element.count} of {element.name} that its header "
        "counts; copy it again"
    )


def _read_binary(elements: list[PlyTable], data: bytes, start: int, order: str, path: Path) -> None:
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


def _binary_lists(element: PlyTable, data: bytes, at: int, order: str, path: Path) -> int:
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


def _row_form(element: PlyTable, data: bytes, at: int, order: str) -> tuple[np.dtype, int]:
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


def _read_text(elements: list[PlyTable], text: bytes, path: Path) -> None:
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


def _text_lists(element: PlyTable, values: np.ndarray, at: int, path: Path) -> int:
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
