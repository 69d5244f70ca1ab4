"""`manyfields prior`: learn what the objects of a run have in common as a distribution, to draw new ones."""

from dataclasses import dataclass
from typing import Annotated

from manyfields._checks import SHARE
from manyfields.commands._command import Command, Count, OptionalCount, RunFolder, Seed, Threads
from manyfields.commands._progress import progress


@dataclass(frozen=True)
class LearnPrior(Command):
    """Learn a prior over the codes of a run: a distribution that `manyfields sample` draws new objects from."""

    folder: RunFolder
    """Run folder that `manyfields fit` made, or any collection; the prior is stored in it."""
    level: OptionalCount = None
    """Layers of an object that are drawn: 1 for weights, shape and box alone; all of them if not given."""
    steps: Count = 3000
    """Steps of learning."""
    width: Count = 512
    """Of the denoising network; the paper has 4096."""
    blocks: Count = 4
    """Of the denoising network."""
    parents: Count = 3
    """While learning, so many objects of a class are mixed to one; 1: never. Small sets need it."""
    evenness: Count = 2
    """How even the shares of parents are; 1: any shares are as likely, and samples are nearer to known objects."""
    held_out: Annotated[float, SHARE] = 0.0
    """Share of groups that the prior never sees, to compare samples with."""
    resume: bool = False
    """Go on from the checkpoint of a call that was interrupted."""
    seed: Seed = 0
    """Same seed, same machine: same prior."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads
        from manyfields.generation import PriorSettings

        if self.threads is not None:
            use_threads(self.threads)
        open_run(self.folder)
        settings = PriorSettings(
            level=self.level,
            steps=self.steps,
            width=self.width,
            blocks=self.blocks,
            parents=self.parents,
            evenness=self.evenness,
            held_out=self.held_out,
            seed=self.seed,
        )
        with progress("prior") as report:
            print(runs.train_prior(self.folder, settings, resume=self.resume, progress=report))
        return 0

    def resume_hint(self) -> str:
        return f"manyfields prior {self.folder} --resume with the same flags"
