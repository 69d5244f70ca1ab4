"""How benchmarks keep what they measure: two flags that all have, and one way to write rows and to say them.

Loads no torch: some scripts choose threads first.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.places import RESULTS
from manyfields.evaluation.origin import Origin, current_commit, retraceable
from manyfields.evaluation.record import Record, write_records


def add_flags(parser: argparse.ArgumentParser, name: str) -> None:
    """`--results` and `--draft`; rows of record go to `results/NAME.json`."""
    parser.add_argument("--results", type=Path, default=RESULTS / f"{name}.json", help="another file for the rows")
    parser.add_argument(
        "--draft", action="store_true", help="try something out of no clean commit: rows go to NAME.draft.json"
    )


def parse(parser: argparse.ArgumentParser, words: list[str] | None = None) -> argparse.Namespace:
    """The arguments. Ends, before hours of work, where rows of record are asked for and files are not as committed."""
    given = parser.parse_args(words)
    commit = current_commit()
    if not given.draft and not retraceable(commit):
        parser.error(f"files differ from those of a commit ({commit}): commit them first, or measure a --draft")
    return given


def trained_by(run: Path, rows: Iterable[Record], more: Iterable[Origin] = ()) -> list[Record]:
    """Rows of a run, or of what a run was compressed to, that say how it was trained; `more`: what was learned since.

    Raises RunError where an earlier version, which did not record it, began the run.
    """
    from manyfields.runs import RunRecord

    trained = tuple(dict.fromkeys([*RunRecord.load(run).trained, *more]))
    return [replace(row, trained=trained) for row in rows]


def file_of(given: argparse.Namespace) -> Path:
    """Where the rows are, for who goes on with those that are there."""
    return given.results.with_suffix(".draft.json") if given.draft else given.results


def keep(given: argparse.Namespace, rows: Iterable[Record]) -> None:
    """Write each row as it comes, and say it; one without a value has the reason in its note."""
    for row in rows:
        write_records(given.results, [row], draft=given.draft)
        value = f"{row.value:.5g}" if isinstance(row.value, float) else "–" if row.value is None else row.value
        print(f"{row.name:56} {value:>12} {row.unit:8} {row.note}", flush=True)
