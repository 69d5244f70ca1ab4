"""`manyfields compress`: a run in fewer bytes, as a new collection."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from manyfields.commands._codec_flags import Choice, given, with_codec
from manyfields.commands._command import (
    Command,
    MovedViews,
    OptionalName,
    OutFolder,
    RunFolder,
    Seed,
    Threads,
)
from manyfields.commands._progress import progress, to_stderr


@dataclass(frozen=True)
class Compress(Command):
    """Write a run's objects to a new collection in fewer bytes."""

    folder: RunFolder
    """Run folder that `manyfields fit` made, or any collection."""
    out: OutFolder
    """Folder for the new collection; the run stays as it is."""
    codec: OptionalName = None
    """vq or transform for fused planes, vq for octrees, pyramid or transform for tensor planes, transform for factor
    fields; what each can be told is listed by `manyfields compress --codec NAME --help`. If not given: vq for octrees,
    for fields in a latent space and where views are gone, pyramid for tensor planes, else transform."""
    data: MovedViews = ()
    """Where the views are now, if they have moved since the fit; of several folders, in the order they were given."""
    seed: Seed = 0
    """Of what is learned."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    @classmethod
    def of_words(cls, words: Sequence[str]) -> type[Command]:
        """With the settings of the codec that they name."""
        return with_codec(cls, words, choices)

    def run(self) -> int:
        from manyfields import runs
        from manyfields.collection import open_collection
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads
        from manyfields.evaluation.costs import with_share
        from manyfields.evaluation.units import format_bytes, shared_by

        if self.threads is not None:
            use_threads(self.threads)
        before = open_run(self.folder).sizes()
        with progress("compress") as report:
            runs.compress(
                self.folder,
                self.out,
                codec=self.codec,
                data=self.data,
                seed=self.seed,
                progress=report,
                say=to_stderr,
                **given(self),
            )
        made = open_collection(self.out)
        after = made.sizes()
        own = [format_bytes(each["per_object"]["layers"]) for each in (before, after)]
        whole = [
            format_bytes(with_share(each["per_object"]["layers"], each["shared"] + each["codec"], each["objects"]))
            for each in (before, after)
        ]
        print(
            f"{self.out}: {after['objects']:,} objects, {own[1]} of their own each, before {own[0]}; "
            f"{shared_by(after['objects'])}: {whole[1]} each, before {whole[0]}"
        )
        if len(made.shared_part.family.config.layers) == 1:
            parts = runs.size_breakdown(made).items()
            print("bytes of a scene: " + ", ".join(f"{part} {format_bytes(size)}" for part, size in parts))
        return 0

    def resume_hint(self) -> str:
        words = ["manyfields", "compress", str(self.folder), str(self.out)]
        return f"{shlex.join(words)} with the same flags (objects already stored are skipped)"


def choices() -> list[Choice]:
    """The codecs that a collection may be stored by, family by family."""
    from manyfields.families.registry import FAMILIES

    codecs = [(row.name, codec) for row in FAMILIES.values() for codec in row.codecs[1:] if codec.collections]
    return [Choice(family, codec.name, codec.settings) for family, codec in codecs]
