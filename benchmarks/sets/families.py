"""The four systems side by side: `manyfields compare --families`, as results of record.

    python -m benchmarks.sets.families VIEWS --work W --minutes 30 --objects gazebo_bus gazebo_pickup kaykit_hatchback

Each family has the same minutes for all objects together, the same views and the same held-out views. What is in W is
kept, so an interrupted call goes on. Rows go to benchmarks/results/families.json: `families.<name>.*` in float16,
`families.<name>_coded.*` by the family's codec. The picture is W/families.png, the report W/report.html.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.places import RESULTS
from manyfields.commands._progress import progress, to_stderr
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.runs import compare_families
from manyfields.runs.comparisons.families import PLAIN, SYSTEMS

ROWS = RESULTS / "families.json"
UNITS = {
    "psnr": "dB",
    "foreground_psnr": "dB",
    "holes": "share",
    "worst_holes": "share",
    "ssim": "",
    "lpips": "squeeze",
    "object_bytes": "bytes",
    "shared_bytes": "bytes",
    "fit_seconds": "s",
    "coding_seconds": "s",
    "fps": "views/s",
}
BESIDE = "other work on the machine"


def rows(found: list[dict[str, Any]], note: str) -> Iterator[Record]:
    """Every figure that was measured of each row of the comparison."""
    for row in found:
        plain = row["stored_as"] == PLAIN
        name = row["family"].replace("-", "_") + ("" if plain else "_coded")
        how = f"{note}; {row['objects']} objects, {row['steps']} steps; {row['stored_as']}"
        for figure, unit in UNITS.items():
            if row.get(figure) is not None:
                yield new_record(f"families.{name}.{figure}", row[figure], unit, how)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of posed views of objects")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0, help="for each family, all objects together")
    parser.add_argument("--families", nargs="+", choices=tuple(SYSTEMS), default=tuple(SYSTEMS))
    parser.add_argument("--objects", nargs="+", default=(), help="all of them if not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help=f"say in the notes that it ran beside {BESIDE}")
    parser.add_argument("--results", type=Path, default=ROWS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with progress("families") as report:
        found = compare_families(
            arguments.data,
            minutes=arguments.minutes,
            out=arguments.work,
            families=arguments.families,
            objects=arguments.objects,
            seed=arguments.seed,
            progress=report,
            say=to_stderr,
        )
    note = f"{arguments.data.name}, {arguments.minutes:g} minutes a family, {arguments.threads} threads"
    note += f", beside {BESIDE}" if arguments.beside else ""
    for row in rows(found, note):
        write_records(arguments.results, [row])
        print(f"{row.name:40} {row.value:14.3f} {row.unit:8} {row.note}", flush=True)


if __name__ == "__main__":
    main()
