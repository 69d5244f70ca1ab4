"""Where a figure or a run comes from: the command, the code, the machine, the views that were learned from."""

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from manyfields.evaluation.machine import describe_machine

DIFFERED = "-dirty"
"""Ends the commit of a checkout whose files were not those of the commit."""
UNKNOWN = "unknown"
ROWS = ":(exclude,top)benchmarks/results"
"""What benchmarks write while they run is no difference of the code."""


@dataclass(frozen=True)
class Origin:
    """How something was trained: enough to train it again. `views` is a hash of what was learned and held out."""

    command: str
    commit: str
    machine: str
    date: str
    views: str = ""

    @property
    def differed(self) -> bool:
        """Whether the code was not that of the commit, or of no commit that is known."""
        return not retraceable(self.commit)


def origin_here(views: str = "") -> Origin:
    """Of what this process trains."""
    return Origin(current_command(), current_commit(), describe_machine().line, now(), views)


def now() -> str:
    """Date and time, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def retraceable(commit: str) -> bool:
    """Whether a commit says what the code was."""
    return commit != UNKNOWN and not commit.endswith(DIFFERED)


def current_command() -> str:
    """The command line of this process: `python -m MODULE ...` of a module, else the name of the script."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    called = [Path(sys.argv[0]).name] if spec is None else ["python", "-m", spec.name.removesuffix(".__main__")]
    return shlex.join([*called, *sys.argv[1:]])


def current_commit(folder: Path | None = None) -> str:
    """The commit of the checkout around `folder` (default: this package), "unknown" where it is in none.

    `-dirty` ends it where tracked files differ, but for rows of benchmarks, or where `folder` holds files that git does
    not know.
    """
    return _commit_here() if folder is None else _commit_of(folder)


@cache
def _commit_here() -> str:
    # Asked once: the code of this process is what it was when it began.
    return _commit_of(Path(__file__).parents[1])


def _commit_of(here: Path) -> str:
    commit = _git(here, "rev-parse", "--short=12", "HEAD")
    # A package installed into a folder of somebody's project is none of that project's code.
    if commit is None or not _git(here, "ls-files", "--", "."):
        return UNKNOWN
    changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ":/", ROWS)
    new = _git(here, "status", "--porcelain", "--untracked-files=all", "--", ".")
    return commit + (DIFFERED if changed or new else "")


def digest_of_files(names: Iterable[str], files: Iterable[Path | None]) -> str:
    """SHA-256, first 16 hex digits, of names and of what the files hold; raises nothing for files that are gone."""
    whole = hashlib.sha256()
    for name in names:
        whole.update(name.encode() + b"\0")
    for file in files:
        try:
            own = hashlib.sha256(file.read_bytes()).digest() if file is not None else b"-"
        except OSError:
            own = b"?"
        whole.update(own)
    return whole.hexdigest()[:16]


def digest_of_digests(named: dict[str, str]) -> str:
    """One for many: of objects by id, whatever their order."""
    text = "\n".join(f"{name}\0{named[name]}" for name in sorted(named))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _git(folder: Path, *words: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
