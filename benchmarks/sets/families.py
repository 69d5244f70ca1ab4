"""The families side by side on a few designs: `manyfields compare --families`, as results of record.

    python -m benchmarks.sets.quality  vehicles --size 128 --work W                # first: views in W/vehicles_128
    python -m benchmarks.sets.families --kind vehicles --size 128 --work W --minutes 8
    python -m benchmarks.sets.families --kind products --size 256 --work W --families fused-planes octree

Each family has the same planned minutes for all objects together, from nothing, and the same held-out views; objects
are the first designs of *report*. `fit_seconds` are what it took, reading, hulls and pixels included, and notes say by
how much families differ. `<name>` is as fitted, in float16, `<name>_coded` by the family's codec, whose time comes on
top and which learns from these objects themselves. What is in W/families_KIND_SIZE_OBJECTS is kept, so that an
interrupted call goes on; the picture and the report of the comparison are there. Rows go to
benchmarks/results/families.json.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import MANY, UNITS
from benchmarks.split import designs, links_to
from manyfields.commands._progress import progress, to_stderr
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, compare_families
from manyfields.runs.comparisons.families import PLAIN, SYSTEMS

OBJECTS = 4
COSTS = {
    "object_bytes": "bytes",
    "shared_bytes": "bytes",
    "object_and_share_bytes": "bytes",
    f"object_and_share_of_{MANY}_bytes": "bytes",
    "fit_seconds": "s",
    "coding_seconds": "s",
    "fps": "views/s",
}
EQUAL = 0.05
"""Fits of one comparison took the same time if none took longer than the shortest by more than this share."""


def rows(found: list[dict[str, Any]], work: Path, kind: str, suffix: str, note: str) -> Iterator[Record]:
    """Every figure that was measured of each row of the comparison in `work`."""
    spent = {row["family"]: row["fit_seconds"] for row in found}
    apart = max(spent.values()) / min(spent.values()) - 1
    times = "in equal seconds" if apart <= EQUAL else f"not in equal seconds: the longest took {apart:.0%} more"
    times += f" ({', '.join(f'{name} {seconds:.0f}' for name, seconds in spent.items())})"
    for row in found:
        plain, count = row["stored_as"] == PLAIN, row["objects"]
        name, run = row["family"].replace("-", "_"), work / row["family"]
        if not plain:
            name, run = f"{name}_coded", run.with_name(f"{run.name}-coded")
        own, shared = row["object_bytes"], row["shared_bytes"]
        shares = {
            "object_and_share_bytes": own + shared / count,
            f"object_and_share_of_{MANY}_bytes": own + shared / MANY,
        }
        form = PLAIN if plain else f"{row['stored_as']}, learned from these objects"
        how = f"{note}; {count} objects, {row['steps']} steps, {times}; {form}"
        trained = RunRecord.load(run).trained
        for figure, unit in {**UNITS, **COSTS}.items():
            value = {**row, **shares}.get(figure)
            if value is not None:
                yield new_record(f"{kind}.families.{name}.{figure}{suffix}", value, unit, how, trained=trained)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("vehicles", "products"), default="vehicles")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    parser.add_argument("--work", type=Path, required=True, help="where `quality` has rendered views")
    parser.add_argument("--minutes", type=float, default=8.0, help="for each family, all objects together")
    parser.add_argument("--families", nargs="+", choices=tuple(SYSTEMS), default=tuple(SYSTEMS))
    parser.add_argument("--objects", type=int, default=OBJECTS, help="of designs to report")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "families")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    name = f"{given.kind}_{given.size}"
    ids = designs(given.kind, "report")[: given.objects]
    data = links_to(given.work / name, given.work / f"{name}_first_{given.objects}", ids)
    out = given.work / f"families_{name}_{given.objects}"
    with progress("families") as report:
        found = compare_families(
            data,
            minutes=given.minutes,
            out=out,
            families=given.families,
            seed=given.seed,
            progress=report,
            say=to_stderr,
        )
    note = f"{name}, {given.minutes:g} minutes planned for each family, {given.threads} threads"
    keep(given, rows(found, out, given.kind, "" if given.size == 128 else f"_{given.size}", note))


if __name__ == "__main__":
    main()
