"""The two forms of a glTF file: JSON, or GLB, which holds the JSON and one buffer."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from manyfields.errors import MeshError

_HEADER = 12


def parse(path: Path) -> tuple[dict[str, Any], bytes]:
    """The document, and the buffer that a GLB file brings. Raises MeshError, and ValueError where it is not JSON."""
    data = path.read_bytes()
    if data[:4] == b"glTF":
        text, binary = _chunks(path, data)
    else:
        text, binary = data, b""
    # bytes, so that json finds byte order marks and UTF-16; some exporters fill the JSON part up with zeros
    document = json.loads(text.rstrip(b"\0 \n") if text[:2] not in (b"\xff\xfe", b"\xfe\xff") else text)
    if not isinstance(document, dict):
        raise MeshError(f"{path}: is not a glTF file that can be read (it holds no JSON object); export it again")
    version = str(document.get("asset", {}).get("version", "2.0"))
    if version.split(".")[0] != "2":
        raise MeshError(f"{path}: is glTF version {version}; only version 2 is read")
    return document, binary


def _chunks(path: Path, data: bytes) -> tuple[bytes, bytes]:
    if len(data) < _HEADER:
        raise MeshError(f"{path}: is cut short ({len(data)} bytes); copy it again")
    _, version, length = struct.unpack_from("<4sII", data, 0)
    if version != 2:
        raise MeshError(f"{path}: is glTF version {version}; only version 2 is read")
    if length > len(data):
        raise MeshError(f"{path}: is cut short ({len(data)} of {length} bytes); copy it again")
    chunks: dict[bytes, bytes] = {}
    position = _HEADER
    while position + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, position)
        if position + 8 + size > len(data):
            raise MeshError(
                f"{path}: is cut short (a part of it ends at byte {position + 8 + size} of {len(data)}); copy it again"
            )
        chunks.setdefault(kind, data[position + 8 : position + 8 + size])
        position += 8 + size
    if b"JSON" not in chunks:
        raise MeshError(f"{path}: is a GLB file without its JSON part; export it again")
    return chunks[b"JSON"], chunks.get(b"BIN\x00", b"")
