"""`manyfields fit`: views of many objects to a collection."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

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

Moved = Annotated[str | None, tyro.conf.Suppress]
"""A flag that only some families have now: understood, to say where it went."""


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
    policy: Moved = None
    """Moved to the families that have it."""
    autoencoder: Moved = None
    """Moved to fused-planes."""
    adaptation: Moved = None
    """Moved to mixture-images and mixture-voxels."""
    side: Moved = None
    """Moved to mixture-images and mixture-voxels."""
    bits: Moved = None
    """Moved to octree."""
    family_: Annotated[str | None, tyro.conf.Suppress, tyro.conf.arg(name="family")] = None
    """Stands before DATA now."""

    def check(self) -> None:
        super().check()
        moved = {name: getattr(self, name) for name in ("policy", "autoencoder", "adaptation", "side", "bits")}
        given = {name: value for name, value in moved.items() if value is not None}
        if not given and self.family_ is None:
            return
        homes = {"bits": "octree", "adaptation": "mixture-images", "side": "mixture-images"}
        family = self.family_ or next((homes[name] for name in given if name in homes), NAMES[0])
        flag = "--family" if self.family_ else f"--{next(iter(given))}"
        words = ["manyfields", "fit", family, str(self.data), "--out", str(self.out)]
        for name, value in given.items():
            words += [f"--{name}", value]
        others = (
            " and your other flags" if self != type(self)(self.data, self.out, **moved, family_=self.family_) else ""
        )
        raise ConfigError(f"{flag}: the family comes first now, with its own flags: {shlex.join(words)}{others}")

    def settings(self) -> dict[str, Any]:
        return {"stage1_objects": self.stage1_objects}
