"""What users give, judged before any work begins: numbers that have a meaning, and places that can be written."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_type_hints

from manyfields.errors import ConfigError

LARGEST_SAID = 1e9  # a bound beyond is there for the machine, and tells a user nothing


@dataclass(frozen=True)
class Bounds:
    """Which numbers have a meaning: none of them is infinite or no number; `above` and `below` are outside."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def words(self) -> str:
        """As in `a number above 0`, `a number from 0 to 1`."""
        if self.least is not None and self.most is not None and self.most < LARGEST_SAID:
            return f"a number from {self.least:g} to {self.most:g}"
        said = {"of at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        parts = [f"{word} {value:g}" for word, value in said.items() if value is not None and value < LARGEST_SAID]
        return f"a number {' and '.join(parts)}".rstrip()

    def hold(self, value: float) -> bool:
        """Whether `value` is one of them."""
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            return False
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def check(self, name: str, value: float | Iterable[float] | None) -> None:
        """Raises ConfigError for a number, or one of several, without meaning; None is what was left out."""
        if value is None:
            return
        for each in value if isinstance(value, tuple | list) else (value,):
            if not self.hold(each):
                raise ConfigError(f"{name}: {self.words}, not {each}")


FINITE = Bounds()
POSITIVE = Bounds(above=0)
NATURAL = Bounds(least=0)
COUNT = Bounds(least=1)
SHARE = Bounds(least=0, below=1)
PART = Bounds(least=0, most=1)
SEED = Bounds(least=0, most=2**63 - 1)
THREADS = Bounds(least=1, most=1024)
PIXELS = Bounds(least=1, most=16384)


def check_numbers(values: Any, **bounds: Bounds) -> None:
    """Raises ConfigError for a member of the dataclass `values` that is infinite or no number, or not within the bounds
    that are given for its name."""
    for item in fields(values):
        value = getattr(values, item.name)
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, Real) and not isinstance(each, Integral):
                FINITE.check(item.name, float(each))
    for name, allowed in bounds.items():
        allowed.check(name, getattr(values, name))


def check_new_folder(path: Path, *inputs: Path) -> None:
    """Raises ConfigError where `path` cannot be a folder that is written to, or is one of the `inputs`."""
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path}: is a file; name a folder")
    if any(path.resolve() == each.resolve() for each in inputs):
        raise ConfigError(f"{path}: is what is read, too; name another folder to write to")
    _check_writable(path)


def check_new_file(path: Path, *inputs: Path) -> None:
    """Raises ConfigError where `path` cannot be a file that is written, or is one of the `inputs`."""
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file")
    if any(path.resolve() == each.resolve() for each in inputs):
        raise ConfigError(f"{path}: is what is read, too; name another file to write to")
    _check_writable(path.parent)


def _check_writable(folder: Path) -> None:
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise ConfigError(f"{folder}: {there} is a file; name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: {there} cannot be written to; name another folder")


@dataclass(frozen=True)
class NewFolder:
    """Of a flag: a folder that is written to."""

    def check(self, name: str, value: Path | None) -> None:
        """Raises ConfigError, see `check_new_folder`."""
        if value is not None:
            check_new_folder(value)


@dataclass(frozen=True)
class NewFile:
    """Of a flag: a file that is written."""

    def check(self, name: str, value: Path | None) -> None:
        """Raises ConfigError, see `check_new_file`."""
        if value is not None:
            check_new_file(value)


Rule = Bounds | NewFolder | NewFile


def check_annotated(values: Any, dashes: bool = False) -> None:
    """Hold the members of a dataclass to the rules in their annotations; raises ConfigError that names the flag.

    `dashes`: flags are named as on the command line.
    """
    for name, hint in get_type_hints(type(values), include_extras=True).items():
        rules = getattr(hint, "__metadata__", ())
        flag = next((rule.name for rule in rules if getattr(rule, "name", None)), name)
        for rule in rules:
            if isinstance(rule, Rule):
                rule.check(flag.replace("_", "-") if dashes else flag, getattr(values, name))
