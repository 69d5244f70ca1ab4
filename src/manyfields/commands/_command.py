"""What every command is: a frozen dataclass whose fields are its flags, and a `run` that returns the exit status.

A command module imports nothing heavy at its top, so that `manyfields --help` is instant; `run` imports what it calls.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from manyfields._checks import COUNT, NATURAL, PIXELS, POSITIVE, SEED, THREADS, NewFile, NewFolder, check_annotated


@dataclass(frozen=True)
class Command(ABC):
    """A command of the `manyfields` program."""

    def check(self) -> None:
        """Judge numbers and places of flags, before anything is imported or read. Raises ConfigError."""
        check_annotated(self, dashes=True)

    @classmethod
    def of_words(cls, words: Sequence[str]) -> "type[Command]":
        """The command with the flags that `words` ask for, where these depend on them."""
        return cls

    @abstractmethod
    def run(self) -> int:
        """Do the work and return the exit status: 0 for done, 1 where what was asked cannot be had."""

    def resume_hint(self) -> str:
        """What a user who pressed Ctrl-C types to go on."""
        return "nothing is half-written; run the same command again"


# Numbers of flags, with the bounds that `Command.check` holds them to.
Count = Annotated[int, COUNT]
Steps = Annotated[int, NATURAL]
Seed = Annotated[int, SEED]
Pixels = Annotated[int, PIXELS]
Minutes = Annotated[float, POSITIVE]

# Flags that may be left out: help shows the unit instead of "{None}|FLOAT".
OptionalMinutes = Annotated[float | None, tyro.conf.arg(metavar="MINUTES"), POSITIVE]
OptionalCount = Annotated[int | None, tyro.conf.arg(metavar="INT"), COUNT]
OptionalSteps = Annotated[int | None, tyro.conf.arg(metavar="INT"), NATURAL]
OptionalSeed = Annotated[int | None, tyro.conf.arg(metavar="INT"), SEED]
Threads = Annotated[int | None, tyro.conf.arg(metavar="INT"), THREADS]
OptionalName = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
OptionalFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
OptionalNewFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE"), NewFile()]

MovedViews = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]

# The positional arguments that several commands share, under the names that the documentation uses.
RunFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
DataFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
OutFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT"), NewFolder()]
