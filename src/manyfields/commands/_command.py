"""What every command is: a frozen dataclass whose fields are its flags, and a `run` that returns the exit status.

A command module imports nothing heavy at its top, so that `manyfields --help` is instant; `run` imports what it calls.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Command(ABC):
    """A command of the `manyfields` program."""

    @abstractmethod
    def run(self) -> int:
        """Do the work and return the exit status: 0 for done, 1 where what was asked cannot be had."""

    def resume_hint(self) -> str:
        """What a user who pressed Ctrl-C types to go on."""
        return "nothing is half-written; run the same command again"


# Flags that may be left out: help shows the unit instead of "{None}|FLOAT".
OptionalMinutes = Annotated[float | None, tyro.conf.arg(metavar="MINUTES")]
OptionalCount = Annotated[int | None, tyro.conf.arg(metavar="INT")]
OptionalNumber = Annotated[float | None, tyro.conf.arg(metavar="FLOAT")]
OptionalFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]

# The positional arguments that several commands share, under the names that the documentation uses.
RunFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
DataFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
OutFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
