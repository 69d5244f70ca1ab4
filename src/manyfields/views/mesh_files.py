"""What mesh files refer to, found on disk whatever system wrote the path, and their numbers."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from manyfields.errors import MeshError, ViewError
from manyfields.views.images import decode_texture


def beside(folder: Path, name: str) -> Path | None:
    """The file that a mesh in `folder` calls `name`, or None.

    Backslashes, other case, quotes and %20 are taken for what is meant; of a path that is not there, the file's name
    alone is looked for, in the folder and in the folders in it.
    """
    written = name.strip().strip('"').strip()
    slashed = written.replace("\\", "/")
    raw = os.fsdecode(written.encode("latin-1")) if not written.isascii() and max(written) <= "\xff" else written
    for form in dict.fromkeys((written, slashed, unquote(slashed), raw)):  # raw: the very bytes, of an old archive
        parts = [part for part in form.split("/") if part not in ("", ".")]
        if not parts:
            continue
        absolute = form.startswith("/") or parts[0].endswith(":")
        found = None if absolute else _walk(folder, parts)
        if found is None:
            places = [folder, *sorted(child for child in folder.iterdir() if child.is_dir())]
            found = next((file for place in places if (file := _walk(place, parts[-1:]))), None)
        if found is not None:
            return found
    return None


def _walk(folder: Path, parts: list[str]) -> Path | None:
    """Follow `parts`, exactly where possible, else in whatever case and Unicode form they are there."""
    for part in parts:
        exact = folder / part
        try:
            if not exact.exists():
                names = [entry.name for entry in folder.iterdir() if _folded(entry.name) == _folded(part)]
                if not names:
                    return None
                exact = folder / min(names)
        except (OSError, ValueError):  # no folder, not to be read, or a name that cannot be one
            return None
        folder = exact
    return folder if folder.is_file() else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def texture_beside(folder: Path, name: str, owner: str, remarks: list[str]) -> np.ndarray | None:
    """The pixels of a texture; where it cannot be had, None and a remark that names its `owner`."""
    file = beside(folder, name)
    if file is None:
        remarks.append(f"{owner}: its texture {name} is not there; put it beside the mesh")
        return None
    try:
        return decode_texture(file.read_bytes())
    except (ViewError, OSError) as error:
        remarks.append(f"{owner}: its texture {name} cannot be read ({error}); save it as PNG or JPEG")
        return None


def content(path: Path) -> bytes:
    """The bytes of a mesh file. Raises MeshError where there are none, or they cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MeshError(f"{path}: cannot be read ({error.strerror or error}); look at its permissions") from error
    if not data.strip():
        raise MeshError(f"{path}: is empty; copy it again")
    return data


def numbers(lines: list[bytes], path: Path, what: str) -> np.ndarray:
    """The numbers in lines, float64 [N, K]; a line that has fewer than others ends in NaN. Raises MeshError."""
    widths = [len(line.split()) for line in lines]
    most = max(widths, default=0)
    text = b" ".join(lines)
    if sum(widths) == most * len(lines):
        values = parsed(text)
        if values is not None and len(values) == sum(widths):
            return values.reshape(len(lines), most)
    table = np.full((len(lines), most), np.nan)
    for row, line in zip(table, lines, strict=True):
        try:
            row[: len(line.split())] = [float(word) for word in line.split()]
        except ValueError:
            shown = line.decode("utf-8", "replace")[:60]
            raise MeshError(f"{path}: has {what} {shown!r} that is not of numbers; export it again") from None
    return table


def parsed(text: bytes) -> np.ndarray | None:
    """Numbers with space between them as float64, or None where something else is among them."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text.decode("latin-1"), dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def linear_colors(values: np.ndarray) -> np.ndarray:
    """sRGB colours [N, 3 or 4] from 0 to 1 to linear float32 [N, 4]; what is no number is white."""
    from manyfields.views.mesh import srgb_to_linear

    values = np.clip(np.nan_to_num(values.astype(np.float64), nan=1.0), 0, 1)
    alpha = values[:, 3:4] if values.shape[1] > 3 else np.ones((len(values), 1))
    return np.concatenate([srgb_to_linear(values[:, :3]), alpha], axis=1).astype(np.float32)
