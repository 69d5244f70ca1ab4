"""What every row of an index shard must satisfy. The same checks guard writing and reading, over whole columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from manyfields.collection.shards import payload_order
from manyfields.errors import CollectionError
from manyfields.names import id_fault

if TYPE_CHECKING:
    import pyarrow as pa


def layer_counts(table: pa.Table) -> np.ndarray:
    """Layers of every object, (B,) int64."""
    return _lengths(table, "layer_begin")


def flat_column(table: pa.Table, name: str) -> np.ndarray:
    """All numbers of a list column, one object after the other."""
    return table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)


def check_table(table: pa.Table, shard: int, objects: int, codes_bytes: int, where: str) -> None:
    """Raise CollectionError for the first object whose row has no meaning.

    `codes_bytes`: size of the codes file that the byte ranges of layers must lie in.
    """
    if table.num_rows != objects:
        raise CollectionError(f"{where}: has {table.num_rows} rows where {objects} are stated")
    for name in table.column_names:
        column = table.column(name)
        if name in ("label", "group"):
            continue
        inner = column.combine_chunks()
        inner = inner.items if name == "metrics" else inner.flatten() if hasattr(inner, "flatten") else inner
        if column.null_count or inner.null_count:
            raise CollectionError(f"{where}: column {name!r} has empty cells")

    ids = table.column("id")

    def refuse(bad: np.ndarray, reason: str) -> None:
        if bad.any():
            raise CollectionError(f"{where}: object {ids[int(np.argmax(bad))].as_py()[:80]!r}: {reason}")

    for name in ids.to_pylist():
        if fault := id_fault(name):
            raise CollectionError(f"{where}: object {name[:80]!r}: {fault}")
    refuse(table.column("shard").to_numpy() != shard, f"its row names another shard than {shard}")

    counts = layer_counts(table)
    refuse(counts < 1, "has no layers")
    for name, expected in (("layer_end", counts), ("layer_crc32c", counts), ("world_to_object", 16), ("bounds", 6)):
        refuse(np.asarray(_lengths(table, name) != expected), f"its {name} has the wrong number of values")

    begin, end = flat_column(table, "layer_begin"), flat_column(table, "layer_end")
    owner = np.repeat(np.arange(objects), counts)
    for bad, reason in (
        (begin == end, "has an empty layer"),
        ((begin < 0) | (begin > end) | (end > codes_bytes), "has a layer outside its codes file"),
    ):
        refuse(np.isin(np.arange(objects), owner[bad]), reason)

    # Layers lie end to end in payload order: so none overlap, and reading them all reads the file once.
    order = payload_order(counts)
    follows = np.append(begin[order][1:], codes_bytes) == end[order]
    misplaced = owner[order][~follows]
    refuse(np.isin(np.arange(objects), misplaced), "its layers overlap or leave gaps in the codes file")

    matrices = flat_column(table, "world_to_object").reshape(objects, 4, 4)
    refuse(~np.isfinite(matrices).all(axis=(1, 2)), "its world_to_object matrix holds NaN or infinity")
    with np.errstate(all="ignore"):
        singular = ~(np.abs(np.linalg.det(matrices)) > 0)
    affine = np.equal(matrices[:, 3], [0.0, 0.0, 0.0, 1.0]).all(axis=1)
    refuse(singular | ~affine, "its world_to_object matrix is singular or its last row is not 0 0 0 1")
    boxes = flat_column(table, "bounds").reshape(objects, 2, 3)
    refuse(~np.isfinite(boxes).all(axis=(1, 2)), "its bounds hold NaN or infinity")
    refuse((boxes[:, 0] >= boxes[:, 1]).max(axis=1), "the low corner of its bounds is not below the high one")


def _lengths(table: pa.Table, name: str) -> np.ndarray:
    import pyarrow.compute as pc

    return pc.list_value_length(table.column(name)).to_numpy().astype(np.int64)
