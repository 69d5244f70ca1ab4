"""Results of record: `benchmarks/results/<name>.json`, a list of rows that benchmarks write and docs quote.

A row's `name` is dotted and stable (`vehicles.fused_planes.psnr`). Measuring again replaces the row of that name in
place, so that a file's history in git is the history of its figures.
"""

import json
import math
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from manyfields import _io
from manyfields.errors import ConfigError
from manyfields.evaluation.machine import describe_machine

NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


@dataclass(frozen=True)
class Record:
    """One figure, with all that is needed to measure it again."""

    name: str
    value: float | int | str | None
    unit: str
    command: str
    machine: str
    date: str
    commit: str
    note: str = ""


def new_record(
    name: str, value: float | int | str | None, unit: str, note: str = "", command: str | None = None
) -> Record:
    """A row measured here and now: machine, date, commit and (unless given) the command line are filled in."""
    return Record(
        name=name,
        value=value,
        unit=unit,
        command=command if command is not None else current_command(),
        machine=describe_machine().line,
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=current_commit(),
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


def write_records(path: Path, records: Iterable[Record]) -> list[Record]:
    """Replace the rows of the same names, append the others, write the file atomically; returns all its rows.

    Raises ConfigError for a name that is not dotted lower case, a number that is not finite, or a name given twice.
    """
    new = {record.name: record for record in _unique([_checked(record, path) for record in records], path)}
    rows = [new.pop(old.name, old) for old in read_records(path)] + list(new.values())
    _io.write_json(path, [asdict(row) for row in rows])
    return rows


def current_command() -> str:
    """The command line of this process: `python -m MODULE ...` of a module, else the name of the script."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    called = [Path(sys.argv[0]).name] if spec is None else ["python", "-m", spec.name.removesuffix(".__main__")]
    return shlex.join([*called, *sys.argv[1:]])


def current_commit(folder: Path | None = None) -> str:
    """The commit of the checkout around `folder` (default: this package), `-dirty` where tracked files differ."""
    command = ["git", "-C", str(folder or Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command + ["--exclude=*"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()


def _from_row(row: Any, path: Path) -> Record:
    names = {field.name for field in fields(Record)}
    if not isinstance(row, dict) or set(row) != names:
        _refuse(path, f"a row has to have exactly the keys {sorted(names)}, got {json.dumps(row)[:120]}")
    return _checked(Record(**row), path)


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
