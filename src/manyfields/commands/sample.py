"""`manyfields sample`: new objects from the prior of a run, as a collection and a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from manyfields._checks import COUNT, FINITE, NATURAL, NewFolder
from manyfields.commands._command import Command, OptionalCount, OptionalFile, Pixels, RunFolder, Seed, Threads
from manyfields.commands._progress import progress


@dataclass(frozen=True)
class Sample(Command):
    """Draw new objects from the prior of a run; they are stored as a collection with the same shared part."""

    folder: RunFolder
    """Run folder in which `manyfields prior` was called."""
    out: Annotated[Path, NewFolder()]
    """Folder for the collection of samples, and for samples.png."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"]), COUNT] = 16
    """How many objects."""
    label: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """Class of the objects; all classes, as often as they occur, if not given."""
    way: Literal["diffusion", "gaussian", "neighbours"] = "diffusion"
    """diffusion: what was learned; gaussian: the naive prior, to compare with; neighbours: between known objects."""
    scheduler: Literal["ddpm", "ddim", "dpm"] = "dpm"
    """Of diffusion: ddpm is the paper's."""
    steps: OptionalCount = None
    """Of diffusion: 1000 (ddpm), 100 (ddim) or 30 (dpm) if not given."""
    guidance: Annotated[float, FINITE] = 1.0
    """Of diffusion: above 1, samples lean towards the class."""
    spread: Annotated[float | None, tyro.conf.arg(metavar="FLOAT"), NATURAL] = None
    """How far from the mean object, as a share of how far objects are; 0: as drawn. 0.9 of diffusion if not given."""
    candidates: OptionalCount = None
    """Draws for each sample; the farthest from known objects is kept. 4 of diffusion, 1 of others, if not given."""
    prior: OptionalFile = None
    """Prior to draw from; the one that was trained last if not given."""
    size: Pixels = 128
    """Width and height in pixels of a sample in the picture."""
    films: Annotated[int, NATURAL] = 0
    """Orbit videos of so many samples."""
    seed: Seed = 0
    """Same seed, same machine: same objects."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        open_run(self.folder)
        with progress("sample") as report:
            made = runs.sample(
                self.folder,
                self.out,
                count=self.count,
                seed=self.seed,
                label=self.label,
                way=self.way,
                scheduler=self.scheduler,
                steps=self.steps,
                guidance=self.guidance,
                spread=self.spread,
                candidates=self.candidates,
                prior=self.prior,
                size=self.size,
                films=self.films,
                progress=report,
            )
        print(f"{self.out}: {len(made):,} objects; {self.out / 'samples.png'} shows them")
        return 0
