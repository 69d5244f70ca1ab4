"""Index shards: one Parquet row per object. Rows stay in arrow tables and become Python objects one by one."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyfields.collection.checksums import open_sized, sha256
from manyfields.collection.index_checks import check_table
from manyfields.collection.manifest import Manifest, Wave
from manyfields.collection.records import ObjectEntry, ObjectRecord
from manyfields.errors import CollectionError

if TYPE_CHECKING:
    import pyarrow as pa

THRIFT_LIMIT = 16 << 20  # of Parquet's own metadata
UNPACKED_LIMIT = 64 << 20  # bytes that any shard may unpack to ...
UNPACKED_PER_OBJECT = 64 << 10  # ... or this many per object, whichever is more


def schema() -> pa.Schema:
    """Columns of an index shard; docs/reference/format.md says what they mean."""
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            ("label", pa.string()),
            ("group", pa.string()),
            pa.field("shard", pa.int32(), nullable=False),
            pa.field("layer_begin", pa.list_(pa.int64()), nullable=False),
            pa.field("layer_end", pa.list_(pa.int64()), nullable=False),
            pa.field("layer_crc32c", pa.list_(pa.uint32()), nullable=False),
            pa.field("world_to_object", numbers, nullable=False),
            pa.field("bounds", numbers, nullable=False),
            pa.field("metrics", pa.map_(pa.string(), pa.float64()), nullable=False),
        ]
    )


def build_table(
    records: Sequence[ObjectRecord],
    ranges: Sequence[Sequence[tuple[int, int]]],
    checksums: Sequence[Sequence[int]],
    shard: int,
    codes_bytes: int,
    where: str,
) -> pa.Table:
    """The rows of a wave. Raises CollectionError where a reader would refuse them."""
    import pyarrow as pa

    def flat(value: object, shape: tuple[int, int], what: str, record: ObjectRecord) -> list[float]:
        try:
            matrix = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CollectionError(f"{where}: object {record.id!r}: {what} is not a matrix of numbers") from error
        if matrix.shape != shape:
            raise CollectionError(f"{where}: object {record.id!r}: {what} has shape {matrix.shape}, not {shape}")
        return matrix.reshape(-1).tolist()

    columns: dict[str, list] = {
        "id": [record.id for record in records],
        "label": [record.label for record in records],
        "group": [record.group for record in records],
        "shard": [shard] * len(records),
        "layer_begin": [[begin for begin, _ in places] for places in ranges],
        "layer_end": [[end for _, end in places] for places in ranges],
        "layer_crc32c": [list(values) for values in checksums],
        "world_to_object": [flat(record.world_to_object, (4, 4), "world_to_object", record) for record in records],
        "bounds": [flat(record.bounds, (2, 3), "bounds", record) for record in records],
        "metrics": [list(record.metrics.items()) for record in records],
    }
    try:
        table = pa.table(columns, schema=schema())
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CollectionError(f"{where}: an id, label, group or metric cannot be stored ({error})") from error
    check_table(table, shard, len(records), codes_bytes, where)
    return table


def encode_table(table: pa.Table) -> bytes:
    """The bytes of an index shard."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # Parquet's own types say all; statistics and a copy of the arrow schema would be half of a small file.
    pq.write_table(table, sink, compression="snappy", version="2.6", write_statistics=False, store_schema=False)
    return sink.getvalue()


def read_table(folder: Path, wave: Wave, shard: int) -> pa.Table:
    """The rows of a wave. Nothing is handed to the Parquet reader before its SHA-256 is the manifest's.

    Raises CollectionError where the file is damaged, unpacks to too much, or a row has no meaning.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / wave.index.file
    with open_sized(path, wave.index.bytes) as file:
        data = file.read(wave.index.bytes)
    if sha256(data) != wave.index.sha256:
        raise CollectionError(f"{path}: its SHA-256 is not the one in the manifest; it is damaged, fetch it again")
    expected = schema()
    try:
        parquet = pq.ParquetFile(
            pa.BufferReader(data), thrift_string_size_limit=THRIFT_LIMIT, thrift_container_size_limit=THRIFT_LIMIT
        )
        metadata = parquet.metadata
        if metadata.num_rows != wave.objects:
            raise CollectionError(f"{path}: has {metadata.num_rows} rows where the manifest says {wave.objects}")
        found = parquet.schema_arrow
        for field in expected:
            if len(found.get_all_field_indices(field.name)) != 1 or found.field(field.name).type != field.type:
                raise CollectionError(f"{path}: column {field.name!r} is missing or not of type {field.type}")
        unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        if unpacked > max(UNPACKED_LIMIT, UNPACKED_PER_OBJECT * wave.objects):
            raise CollectionError(f"{path}: would unpack to {unpacked} bytes for {wave.objects} objects; not read")
        # A shard is small, and a thread of Arrow's pool that still starts while the process ends aborts it.
        table = parquet.read(columns=expected.names, use_threads=False).select(expected.names).combine_chunks()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CollectionError(f"{path}: cannot be read as Parquet ({reason})") from error
    check_table(table, shard, wave.objects, wave.codes.bytes, str(path))
    return table


class Index:
    """The rows of all waves, in order of storing. Reads every index shard at construction; O(1) look-up by id."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._starts: list[int] = []
        self._rows: dict[str, int] = {}
        for number, wave in enumerate(manifest.waves):
            self.add(read_table(folder, wave, number))

    def add(self, table: pa.Table) -> None:
        """Add the rows of the next wave. Raises CollectionError where an id is there already."""
        start = len(self._rows)
        self._starts.append(start)
        self._tables.append(table)
        for row, name in enumerate(table.column("id").to_pylist(), start):
            if self._rows.setdefault(name, row) != row:
                raise CollectionError(f"{self._folder}: object {name!r} is stored twice")

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def ids(self) -> list[str]:
        """All ids, in order of storing."""
        return list(self._rows)

    def tables(self) -> list[pa.Table]:
        """One table per wave."""
        return self._tables

    def entry(self, name: str) -> ObjectEntry:
        """The row of one object. Raises CollectionError where there is none."""
        row = self._rows.get(name)
        if row is None:
            raise CollectionError(f"{self._folder}: has no object {name!r} among its {len(self)}; see its `ids`")
        wave = bisect_right(self._starts, row) - 1
        values = self._tables[wave].slice(row - self._starts[wave], 1).to_pylist()[0]
        return ObjectEntry(
            id=name,
            label=values["label"],
            group=values["group"],
            shard=values["shard"],
            ranges=tuple(zip(values["layer_begin"], values["layer_end"], strict=True)),
            crc=tuple(values["layer_crc32c"]),
            world_to_object=np.array(values["world_to_object"], dtype=np.float64).reshape(4, 4),
            bounds=np.array(values["bounds"], dtype=np.float64).reshape(2, 3),
            metrics=dict(values["metrics"]),
        )
