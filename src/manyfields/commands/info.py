"""`manyfields info`: what a collection holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from manyfields._checks import COUNT
from manyfields.commands._command import Command, RunFolder
from manyfields.commands._run_folder import open_run
from manyfields.commands._tables import print_table
from manyfields.errors import ConfigError

if TYPE_CHECKING:
    from manyfields.collection import Collection

OBJECTS_SHOWN = 40
TOLD_APART = ("octree",)
"""Plain codecs that have a table of parts: asking any other would read the whole shared part for nothing."""
LONGEST_VALUE = 60


@dataclass(frozen=True)
class Info(Command):
    """Show what a run holds: its config, its objects, bytes by part and by object, and quality."""

    folder: RunFolder
    """Run folder, or any collection."""
    all: bool = False
    """List every object, not only the first 40."""
    totals: Annotated[tuple[int, ...], COUNT] = ()
    """Also the time and bytes that sets of so many objects would take, as this run measured them."""

    def run(self) -> int:
        collection = open_run(self.folder)
        settings = {**dict(flattened(collection.config)), **dict(flattened(collection.properties))}
        codec = settings.pop("codec", "-")  # the plain one of the shared part
        settings |= flattened({"codec": collection.codec_config or codec})
        print_table(["setting", "value"], [[name, shortened(value)] for name, value in settings.items()], "Config")
        print_sizes(collection)
        limit = None if self.all else OBJECTS_SHOWN
        print_objects(collection, limit)
        print_parts(collection, list(islice(collection, limit)))
        if self.totals:
            print_totals(self.folder, collection, self.totals)
        return 0


def flattened(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": 1}}` as `("a.b", 1)`."""
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from flattened(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def print_sizes(collection: "Collection") -> None:
    from manyfields.evaluation.units import format_bytes

    sizes = collection.sizes()
    each = sizes["per_object"]
    rows = [
        ["shared part", sizes["shared"], each.get("shared")],
        ["codec", sizes["codec"], each.get("codec")],
        ["objects: layer 0", sizes["codes_layer0"], each.get("layer0")],
        ["objects: finer layers", sizes["codes_finer"], each["layers"] - each["layer0"] if each else None],
        ["index, tables, manifest", sizes["index"] + sizes["codes_tables"] + sizes["manifest"], each.get("index")],
    ]
    served = sum(row[1] for row in rows)
    rows.append(["served in all", served, served / len(collection) if each else None])
    if sizes["encoder"]:
        rows.append(["encoder (for fitting)", sizes["encoder"], None])
    cells = [[part, count, format_bytes(count), format_bytes(share)] for part, count, share in rows]
    title = f"{len(collection):,} objects, shared part {collection.shared_hash[:16]}"
    print_table(["part", "bytes", "size", f"for each object, N = {len(collection):,}"], cells, title)


def print_objects(collection: "Collection", limit: int | None) -> None:
    """With what the objects share, the codec included, divided by their number."""
    from manyfields.evaluation.costs import with_share
    from manyfields.evaluation.units import shared_by

    entries = [collection.entry(name) for name in islice(collection, limit)]
    metrics = sorted({name for entry in entries for name in entry.metrics} - {"stage"}, key=place)
    sizes = collection.sizes()
    shared, count = sizes["shared"] + sizes["codec"], len(collection)

    def row_of(name: str, about: list[Any], own: float, quality: list[Any]) -> list[Any]:
        return [name, *about, round(own), round(with_share(own, shared, count)), *quality]

    rows = [
        row_of(each.id, [each.label, each.group, len(each.ranges)], each.bytes, [each.metrics.get(n) for n in metrics])
        for each in entries
    ]
    if len(entries) == count and entries:
        means = [mean([entry.metrics.get(name) for entry in entries]) for name in metrics]
        rows.append(row_of("mean", [None] * 3, mean([entry.bytes for entry in entries]) or 0, means))
    titles = ["foreground" if name.endswith("foreground_psnr") else name for name in metrics]
    columns = ["object", "label", "group", "layers", "own bytes", shared_by(max(1, count)), *titles]
    print_table(columns, rows, "Objects")
    if len(entries) < len(collection):
        print(f"and {len(collection) - len(entries):,} more (--all lists them)")


def place(metric: str) -> tuple[str, int, str]:
    """To sort columns by: what is of whole objects first, and beside each PSNR that of its foreground."""
    layer, figure = re.fullmatch(r"(layer\d+_)?(.*)", metric).groups("")  # type: ignore[union-attr]
    first = ("psnr", "foreground_psnr", "holes", "worst_holes")
    return layer, first.index(figure) if figure in first else len(first), figure


def print_parts(collection: "Collection", ids: list[str]) -> None:
    """The parts of some objects, where their codec tells them apart."""
    if not ids or collection.config.get("codec") not in TOLD_APART:
        return
    network = 2 * sum(parameter.numel() for parameter in collection.shared_part.family.parameters())
    if (table := collection.codec.table([collection.layers(name) for name in ids], network)) is not None:
        print_table(table.columns, table.rows, table.title)
        print(table.note)


def print_totals(folder: Path, collection: "Collection", counts: tuple[int, ...]) -> None:
    """The paper's t(N) and m(N)."""
    from manyfields.evaluation.units import format_bytes, format_seconds
    from manyfields.runs.record import RunRecord
    from manyfields.runs.reporting import cost_account

    if min(counts) < 1:
        raise ConfigError(f"--totals {min(counts)}: a set has at least 1 object")
    rows = [
        [row.objects, format_seconds(row.seconds), format_bytes(row.served_bytes), format_bytes(row.bytes_per_object)]
        for row in cost_account(collection, RunRecord.load(folder)).table(counts)
    ]
    print_table(["objects", "time to fit", "bytes served", "for each, with the shared part"], rows, "Totals")


def mean(values: list[float | None]) -> float | None:
    """The mean of those that were measured."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
