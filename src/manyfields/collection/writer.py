"""Writing a collection: files under their final names only when whole, the manifest last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyfields._io import write_atomic
from manyfields._lock import locked
from manyfields.collection.checksums import crc32c, sha256
from manyfields.collection.index import build_table, encode_table
from manyfields.collection.manifest import (
    MAJOR,
    MINOR,
    NAME,
    FileEntry,
    Manifest,
    Wave,
    canonical_json,
    codes_name,
    index_name,
    package_version,
    write_manifest,
)
from manyfields.collection.records import ObjectRecord
from manyfields.collection.shards import encode_shard
from manyfields.collection.tensors import write_part
from manyfields.errors import CollectionError

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor


def write_new(
    folder: Path,
    shared: dict[str, Tensor],
    config: dict[str, Any],
    encoder: dict[str, Tensor] | None,
    properties: dict[str, Any],
    codec: tuple[dict[str, Tensor], dict[str, Any]] | None = None,
) -> None:
    """Write a collection without objects. `codec`: tensors and config of its file.

    Raises CollectionError where there is a collection already.
    """
    canonical_json(properties, "the properties of the collection")
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        if (folder / NAME).exists():
            raise CollectionError(f"{folder}: holds a collection already; choose another folder, or add objects to it")
        _remove_temporary_files(folder)
        manifest = Manifest(
            shared=write_part(folder, "shared", shared, config),
            encoder=None if encoder is None else write_part(folder, "encoder", encoder, {}),
            waves=(),
            properties=properties,
            manyfields=package_version(),
            codec=None if codec is None else write_part(folder, "codec", *codec),
            version=(MAJOR, 0 if codec is None else 1),
        )
        write_manifest(folder, manifest)


def write_wave(
    folder: Path, manifest: Manifest, records: Sequence[ObjectRecord], minor: int = 0
) -> tuple[Manifest, pa.Table]:
    """Store objects as one codes shard and one index shard, then replace the manifest.

    The caller holds `exclusive(folder)` and has looked for ids that are stored already. Files of the same names that
    no manifest lists are left from a crash and are overwritten. `minor`: the version of the format that a reader of
    these objects has to know, at least. Returns the new manifest and the rows of the wave.
    """
    if manifest.version[1] > MINOR:
        raise CollectionError(
            f"{folder}: was written by a newer manyfields ({manifest.manyfields}); it can be read, "
            "but adding objects needs that version"
        )
    number = len(manifest.waves)
    _check_layers(records, str(folder))
    data, ranges = encode_shard([record.layers for record in records])
    checksums = [[crc32c(layer) for layer in record.layers] for record in records]
    table = build_table(records, ranges, checksums, number, len(data), str(folder))
    _remove_temporary_files(folder)
    codes = _write(folder, codes_name(number), data)
    index = _write(folder, index_name(number), encode_table(table))
    version = (manifest.version[0], max(manifest.version[1], minor))
    extended = replace(manifest, version=version, waves=(*manifest.waves, Wave(len(records), index, codes)))
    write_manifest(folder, extended)
    return extended, table


def refusal(record: ObjectRecord) -> str | None:
    """Why an object cannot be stored, whatever the collection; None where it can."""
    try:
        _check_layers([record], "the index")
        data, ranges = encode_shard([record.layers])
        build_table([record], ranges, [[0] * len(record.layers)], 0, len(data), "the index")
    except CollectionError as error:
        return str(error).removeprefix(f"the index: object {record.id[:80]!r}: ")
    return None


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; the lock ends with the process. Raises CollectionError where another holds it."""
    busy = CollectionError(f"{folder}: another process is writing to it; try again when it is done")
    with locked(folder, busy):
        yield


def _write(folder: Path, name: str, data: bytes) -> FileEntry:
    write_atomic(folder / name, data)
    return FileEntry(name, len(data), sha256(data))


def _check_layers(records: Sequence[ObjectRecord], where: str) -> None:
    for record in records:
        if not record.layers:
            raise CollectionError(f"{where}: object {record.id!r} has no layers; an object needs at least one")
        for number, layer in enumerate(record.layers):
            if not isinstance(layer, bytes) or not layer:
                raise CollectionError(f"{where}: object {record.id!r}, layer {number}: is empty or not bytes")


def _remove_temporary_files(folder: Path) -> None:
    # A killed process leaves what it was writing under a name of this form; nobody else writes while we hold the lock.
    for name in ("shared-*", "encoder-*", "codec-*", "codes-*", "objects-*", f"{NAME}.*"):
        for path in folder.glob(f".{name}.tmp"):
            path.unlink(missing_ok=True)
