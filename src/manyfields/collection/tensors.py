"""Named tensors as immutable files: the shared part and the codec (with their configs), and the encoder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyfields._io import write_atomic
from manyfields.collection.checksums import open_sized, sha256
from manyfields.collection.header import read_header
from manyfields.collection.manifest import FileEntry, canonical_json, parse_json, part_name
from manyfields.errors import CollectionError

if TYPE_CHECKING:
    from torch import Tensor

HEADER_LIMIT = 16 << 20  # bytes


def write_part(folder: Path, kind: str, tensors: dict[str, Tensor], config: dict[str, Any]) -> FileEntry:
    """Write `<kind>-<hash>.safetensors`; the config is inside, so that the hash covers it.

    Equal tensors and config give equal bytes and so the same name. Raises CollectionError where `config` is not JSON.
    """
    from safetensors.torch import save

    # One metadata member: safetensors does not promise an order of several.
    metadata = {"config": canonical_json(config, f"the config of the {kind} part")}
    # clone: tensors that share memory are stored each for itself.
    data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, metadata)
    digest = sha256(data)
    entry = FileEntry(part_name(kind, digest), len(data), digest)
    write_atomic(folder / entry.file, data)
    return entry


def read_part_bytes(folder: Path, entry: FileEntry) -> bytes:
    """The bytes of a part, checked against the manifest. Raises CollectionError."""
    path = folder / entry.file
    with open_sized(path, entry.bytes) as file:
        data = file.read(entry.bytes)
    if sha256(data) != entry.sha256:
        raise CollectionError(f"{path}: its SHA-256 is not the one in the manifest; it is damaged, fetch it again")
    return data


def part_config(data: bytes, where: str) -> dict[str, Any]:
    """The config inside a part, with the whole header checked. Raises CollectionError."""
    header = read_header(io.BytesIO(data), len(data), HEADER_LIMIT, where)
    config = parse_json(header.metadata.get("config", "").encode("utf-8", "replace"), f"{where}: its config")
    if not isinstance(config, dict):
        raise CollectionError(f"{where}: its config is not a JSON object")
    return config


def part_tensors(data: bytes, where: str) -> dict[str, Tensor]:
    """The tensors of a part, on the CPU. Raises CollectionError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    read_header(io.BytesIO(data), len(data), HEADER_LIMIT, where)
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CollectionError(f"{where}: its tensors cannot be read ({error})") from error
