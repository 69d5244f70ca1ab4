"""`manyfields interpolate`: a picture of objects between objects of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from manyfields._checks import Bounds, NewFile
from manyfields.commands._command import Command, Pixels, RunFolder, Threads
from manyfields.commands._progress import progress


@dataclass(frozen=True)
class Interpolate(Command):
    """Draw a grid of objects between four of a run, or a row between two, into a picture."""

    folder: RunFolder
    """Run folder that `manyfields fit` made, or any collection."""
    objects: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="ID")]
    """Ids of two or four objects: top left, top right, bottom left, bottom right."""
    out: Annotated[Path, NewFile()]
    """Picture to write: .png or .jpg."""
    side: Annotated[int, Bounds(least=2, most=64)] = 6
    """Objects along one side of the grid."""
    size: Pixels = 128
    """Width and height of each in pixels."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        open_run(self.folder)
        with progress("interpolate") as report:
            runs.interpolate(self.folder, self.objects, self.out, side=self.side, size=self.size, progress=report)
        print(self.out)
        return 0
