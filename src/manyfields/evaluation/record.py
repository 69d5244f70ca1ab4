"""Results of record: `benchmarks/results/<name>.json`, a list of rows that benchmarks write and docs quote.

A row's `name` is dotted and stable (`vehicles.fused_planes.psnr`). Measuring again replaces the row of that name in
place, so that a file's history in git is the history of its figures.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from manyfields import _io
from manyfields.errors import ConfigError
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.origin import Origin, current_command, current_commit, now, retraceable

NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


@dataclass(frozen=True)
class Record:
    """One figure, with all that is needed to measure it again.

    `command`, `machine`, `date` and `commit` are those of measuring; `trained` says how what was measured came to be,
    an origin for each process that fitted, and is empty where nothing was.
    """

    name: str
    value: float | int | str | None
    unit: str
    command: str
    machine: str
    date: str
    commit: str
    trained: tuple[Origin, ...] = ()
    note: str = ""

    @property
    def is_draft(self) -> bool:
        """Whether it was measured, or what it measures was trained, by code of no commit."""
        return not all(retraceable(commit) for commit in (self.commit, *(each.commit for each in self.trained)))


def new_record(
    name: str,
    value: float | int | str | None,
    unit: str,
    note: str = "",
    command: str | None = None,
    trained: Sequence[Origin] = (),
) -> Record:
    """A row measured here and now: machine, date, commit and (unless given) the command line are filled in.

    `trained`: that of the runs that it is of (`RunRecord.trained`).
    """
    return Record(
        name=name,
        value=value,
        unit=unit,
        command=command if command is not None else current_command(),
        machine=describe_machine().line,
        date=now(),
        commit=current_commit(),
        trained=tuple(dict.fromkeys(trained)),
        note=note,
    )


def read_records(path: Path) -> list[Record]:
    """The rows of a file, in order; none where there is no file. Raises ConfigError for a file of anything else."""
    if not path.exists():
        return []
    try:
        rows = _io.read_json(path)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as results of record ({error}); mend or remove it") from error
    if not isinstance(rows, list):
        _refuse(path, "not a list of results of record")
    return _unique([_from_row(row, path) for row in rows], path)


def write_records(path: Path, records: Iterable[Record], draft: bool = False) -> list[Record]:
    """Replace the rows of the same names, append the others, write the file atomically; returns all its rows.

    Rows from a tree that was not as committed are refused, unless they are a `draft`: that goes into a file beside it,
    `NAME.draft.json`, which git ignores. Raises ConfigError for them, for a name that is not dotted lower case, for a
    number that is not finite, and for a name given twice.
    """
    if draft:
        path = path.with_suffix(".draft.json")
    new = {record.name: record for record in _unique([_checked(record, path) for record in records], path)}
    for record in new.values():
        if record.is_draft and not draft:
            how = f"commit {record.commit}, trained by {', '.join(each.commit for each in record.trained) or 'nothing'}"
            _refuse(path, f"{record.name} is not from a clean commit ({how}); commit first, or write it as a draft")
    rows = [new.pop(old.name, old) for old in read_records(path)] + list(new.values())
    _io.write_json(path, [{**asdict(row), "seal": seal_of(row)} for row in rows])
    return rows


def seal_of(record: Record) -> str:
    """A hash of all that a row says: a row that was changed or renamed by hand no longer has its own."""
    text = json.dumps(asdict(record), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _from_row(row: Any, path: Path) -> Record:
    names = {*(field.name for field in fields(Record)), "seal"}
    if not isinstance(row, dict) or set(row) != names:
        _refuse(path, f"a row has to have exactly the keys {sorted(names)}, got {json.dumps(row)[:120]}")
    seal = row.pop("seal")
    try:
        record = Record(**{**row, "trained": tuple(Origin(**each) for each in row["trained"])})
    except TypeError:
        _refuse(path, f"{row['name']}: `trained` has to be a list of origins, got {json.dumps(row['trained'])[:120]}")
    if seal_of(_checked(record, path)) != seal:
        _refuse(path, f"{record.name} was changed by hand: measure it again, or restore the file from git")
    return record


def _checked(record: Record, path: Path) -> Record:
    if not isinstance(record.name, str) or not NAME.fullmatch(record.name):
        _refuse(path, f"name {record.name!r} is not dotted lower case such as vehicles.fused_planes.psnr")
    if isinstance(record.value, float) and not math.isfinite(record.value):
        _refuse(path, f"{record.name} has the value {record.value}; write None and say why in its note")
    return record


def _unique(records: list[Record], path: Path) -> list[Record]:
    seen: set[str] = set()
    for record in records:
        if record.name in seen:
            _refuse(path, f"{record.name} stands there twice")
        seen.add(record.name)
    return records


def _refuse(path: Path, what: str) -> NoReturn:
    raise ConfigError(f"{path}: {what}")
