"""`manyfields demo`: the whole way, from meshes that it makes itself to a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from manyfields._checks import NewFolder
from manyfields.commands._command import Command, Minutes
from manyfields.commands._progress import progress


@dataclass(frozen=True)
class Demo(Command):
    """Show the whole way in a few minutes on a CPU, offline: inventory, views, fit, report."""

    out: Annotated[Path, NewFolder()] = Path("demo")
    """Folder for everything that the demo makes."""
    minutes: Minutes = 4.0
    """Time for the fit with its measuring and report; making the views takes half a minute more."""

    def run(self) -> int:
        from manyfields import runs

        with progress("demo") as report:
            page = runs.demo(self.out, minutes=self.minutes, progress=report)
        print(f"done; open {page} in a browser")
        return 0

    def resume_hint(self) -> str:
        return "run the same command again; steps that are finished are kept"
