"""`manyfields fit`: views of many objects to a collection."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from manyfields._checks import NewFolder
from manyfields.commands._command import (
    Command,
    DataFolder,
    OptionalCount,
    OptionalFile,
    OptionalMinutes,
    OptionalSeed,
    Threads,
)
from manyfields.commands._progress import progress, to_stderr
from manyfields.errors import ConfigError
from manyfields.families.names import NAMES

MOVED = {
    "--family": "fused-planes",
    "--policy": "fused-planes",
    "--autoencoder": "fused-planes",
    "--adaptation": "mixture-images",
    "--side": "mixture-images",
    "--bits": "octree",
}
"""Flags that stood beside those of all families, and a family that has them."""


@dataclass(frozen=True)
class FitAny(Command):
    """What fits of all families have in common."""

    family: ClassVar[str | None] = None
    """The family that was named; None: the preset's."""

    data: DataFolder
    """Folder of posed images: one object, or a folder of objects. Of mixture-images a folder of images, of
    mixture-voxels one of meshes."""
    out: Annotated[Path, NewFolder()]
    """Run folder to make: the collection, checkpoints/ and report.html."""
    minutes: OptionalMinutes = None
    """Time for all that you wait for, from reading to the report, turned into a recorded number of steps after a short
    pilot; the preset's steps if not given."""
    objects: tuple[str, ...] = field(default=())
    """Names of the objects to fit; all of DATA if not given."""
    resume: bool = False
    """Go on with the run in --out, with the settings it was started with."""
    seed: OptionalSeed = None
    """The same seed on the same machine gives the same result; the preset's, 0, if not given."""
    preset: str | None = None
    """Variant of the family (its first, or that of --config, if not given); a wrong name lists them all."""
    config: OptionalFile = None
    """JSON file of settings that replace those of the preset; flags win over it."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""
    no_report: bool = False
    """Do not write report.html."""

    def settings(self) -> dict[str, Any]:
        """Settings by name that flags give, besides those that all fits have; None where one is not given."""
        return {}

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        with progress("fit") as report:
            runs.fit(
                self.data,
                self.out,
                minutes=self.minutes,
                objects=self.objects,
                resume=self.resume,
                family=self.family,
                preset=self.preset,
                config=self.config,
                report=not self.no_report,
                progress=report,
                say=to_stderr,
                **{"seed": self.seed, **self.settings()},
            )
        print(
            f"collection in {self.out}"
            if not (self.out / "report.html").exists()
            else f"collection in {self.out}, its report in {self.out / 'report.html'}"
        )
        return 0

    def resume_hint(self) -> str:
        data = f"./{self.data}" if str(self.data) in NAMES else str(self.data)
        return shlex.join(["manyfields", "fit", data, "--out", str(self.out), "--resume"])


@dataclass(frozen=True)
class Fit(FitAny):
    """Fit a set of objects: learn the shared part, then every object, and write a collection with its report.

    `manyfields fit FAMILY DATA --out RUN` fits another family than fused planes, and has the flags of its settings:
    `manyfields fit FAMILY --help`. Families: fused-planes (objects share all they can; the default), octree (an octree
    for each object), tensorf (planes and vectors for each scene), factor-fields (basis grids and coefficients for each
    scene), mixture (averages of networks that objects share), mixture-images and mixture-voxels (likewise, of a folder
    of images, or of meshes). A folder that has the name of a family is given as ./NAME.
    """

    stage1_objects: OptionalCount = None
    """How many objects learn the shared part (split by group); all of them up to 500 if not given."""

    @classmethod
    def of_words(cls, words: Sequence[str]) -> type[Command]:
        """With the settings of the family that they begin with. Raises ConfigError for flags that have moved."""
        if words and words[0] in NAMES:
            from manyfields.commands._fit_family import fit_command

            return fit_command(FitAny, words[0])
        if (instead := moved(words)) is not None:
            raise ConfigError(instead)
        return cls

    def settings(self) -> dict[str, Any]:
        return {"stage1_objects": self.stage1_objects}


def moved(words: Sequence[str]) -> str | None:
    """What to write in the place of `manyfields fit` with these words; None where they have no flag that has moved."""
    flags = [word.split("=")[0] for word in words]
    found = next((flag for flag in flags if flag in MOVED), None)
    if found is None:
        return None
    values = {
        flag: word.partition("=")[2] or after for flag, word, after in zip(flags, words, [*words[1:], ""], strict=True)
    }
    of_preset = [name for name in NAMES if values.get("--preset", "").startswith(name)]
    family = values.get("--family") or max(of_preset, key=len, default=MOVED[found])
    kept, passed_over = [], False
    for flag, word in zip(flags, words, strict=True):
        if flag != "--family" and not passed_over:
            kept.append(word)
        passed_over = word == "--family"
    instead = shlex.join(["manyfields", "fit", family, *kept])
    return f"{found}: the family comes first now, and has flags of its own: {instead}"
