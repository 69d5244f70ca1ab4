"""`manyfields compress`: a run in fewer bytes, as a new collection."""

import shlex
from dataclasses import dataclass
from typing import Literal

from manyfields.commands._command import Command, OptionalCount, OutFolder, RunFolder
from manyfields.commands._progress import progress, to_stderr


@dataclass(frozen=True)
class Compress(Command):
    """Write a run's objects to a new collection in fewer bytes: micro planes, or features of octrees, by codebooks."""

    folder: RunFolder
    """Run folder that `manyfields fit` made, or any collection."""
    out: OutFolder
    """Folder for the new collection; the run stays as it is."""
    codec: Literal["vq"] = "vq"
    """vq: vector quantisation by learned codebooks."""
    bits: tuple[int, ...] = (6,)
    """Bits of an index; several: codebooks one after the other, each for what the ones before left."""
    groups: OptionalCount = None
    """Parts of the features with codebooks of their own; one for every two features if not given."""
    steps: int = 300
    """Steps in which each object's indices are fitted to its training views; 0: nearest entries, no views needed."""
    seed: int = 0
    """Of the codebooks."""
    threads: OptionalCount = None
    """CPU threads for torch; its own choice if not given."""

    def run(self) -> int:
        import torch

        from manyfields import runs
        from manyfields.collection import open_collection
        from manyfields.commands._run_folder import open_run
        from manyfields.evaluation.units import format_bytes

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        before = open_run(self.folder).sizes()
        with progress("compress") as report:
            runs.compress(
                self.folder,
                self.out,
                codec=self.codec,
                bits=self.bits,
                groups=self.groups,
                steps=self.steps,
                seed=self.seed,
                progress=report,
                say=to_stderr,
            )
        after = open_collection(self.out).sizes()
        sizes = [format_bytes(each["per_object"]["layers"] + each["per_object"]["codec"]) for each in (before, after)]
        print(f"{self.out}: {after['objects']:,} objects, {sizes[1]} each with the codec's share, before {sizes[0]}")
        return 0

    def resume_hint(self) -> str:
        words = ["manyfields", "compress", str(self.folder), str(self.out)]
        return f"{shlex.join(words)} with the same flags (objects already stored are skipped)"
