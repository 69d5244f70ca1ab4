"""Reading every byte of a collection and saying what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyfields.collection.checksums import crc32c, open_sized, sha256_file
from manyfields.collection.index import read_table
from manyfields.collection.index_checks import flat_column, layer_counts
from manyfields.collection.manifest import FileEntry, Wave, read_manifest
from manyfields.collection.shards import payload_order, read_layout
from manyfields.collection.tensors import part_config, read_part_bytes
from manyfields.errors import CollectionError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 20  # damaged layers that are named, per shard


def verify_collection(folder: Path) -> list[str]:
    """Every problem of a collection, one line each; [] means sound.

    Checked: the SHA-256 of the manifest and of every file it lists, the headers of all tensor files, that offsets
    rise and span their payload, that ids are stored once, that the index names exactly the layers of its codes shard,
    and the CRC32C of every layer. Files that the manifest does not list are ignored. Never raises CollectionError.

    >>> from manyfields.collection.reader import create_collection
    >>> create_collection("shelf", shared={}, config={}).path.name
    'shelf'
    >>> verify_collection(Path("shelf"))
    []
    >>> for file in Path("shelf").glob("shared-*"):
    ...     _ = file.write_bytes(b"damaged")
    >>> len(verify_collection(Path("shelf"))) > 0
    True
    """
    folder = Path(folder)
    try:
        manifest = read_manifest(folder)
    except CollectionError as error:
        return [str(error)]
    problems: list[str] = []
    sound = {entry.file for entry in manifest.files() if _sound(folder, entry, problems)}

    for part in manifest.parts():
        if part.file in sound:
            try:
                part_config(read_part_bytes(folder, part), str(folder / part.file))
            except CollectionError as error:
                problems.append(str(error))

    ids: set[str] = set()
    for number, wave in enumerate(manifest.waves):
        if wave.index.file not in sound:
            continue
        try:
            table = read_table(folder, wave, number)
            for name in table.column("id").to_pylist():
                if name in ids:
                    problems.append(f"{folder / wave.index.file}: object {name!r} is stored twice")
                ids.add(name)
            _check_shard(folder, wave, table, problems)
        except CollectionError as error:
            if str(error) not in problems:  # a codes file of the wrong size is reported already
                problems.append(str(error))
    return problems


def _sound(folder: Path, entry: FileEntry, problems: list[str]) -> bool:
    path = folder / entry.file
    try:
        digest = sha256_file(path, entry.bytes)
    except CollectionError as error:
        problems.append(str(error))
        return False
    if digest != entry.sha256:
        problems.append(f"{path}: its SHA-256 is not the one in the manifest; it is damaged, fetch it again")
        return False
    return True


def _check_shard(folder: Path, wave: Wave, table: pa.Table, problems: list[str]) -> None:
    path = folder / wave.codes.file
    counts = layer_counts(table)
    begin, end = flat_column(table, "layer_begin"), flat_column(table, "layer_end")
    stated, ids = flat_column(table, "layer_crc32c"), table.column("id")
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    with open_sized(path, wave.codes.bytes) as file:
        damaged = 0
        for layer in range(len(begin)):
            file.seek(int(begin[layer]))
            if crc32c(file.read(int(end[layer] - begin[layer]))) != int(stated[layer]):
                damaged += 1
                if damaged <= SHOWN:
                    row = int(owner[layer])
                    name, number = ids[row].as_py(), layer - int(first[row])
                    problems.append(f"{path}: object {name!r}, layer {number}: its CRC32C is not the one in the index")
        if damaged > SHOWN:
            problems.append(f"{path}: {damaged - SHOWN} more layers have another CRC32C than the index says")
        file.seek(0)
        layout = read_layout(file, wave.codes.bytes, str(path))
    order = payload_order(counts)
    matches = layout.objects == wave.objects and len(layout.bounds) == len(order) + 1
    if not (
        matches and np.array_equal(begin[order], layout.bounds[:-1]) and np.array_equal(end[order], layout.bounds[1:])
    ):
        problems.append(f"{path}: its offsets and the byte ranges in {wave.index.file} contradict each other")
