"""`manyfields fit`: views of many objects to a collection."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

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

Family = Literal["fused-planes", "octree", "tensorf", "factor-fields", "mixture", "mixture-images", "mixture-voxels"]

Adaptation = Literal["meta", "meta-first-order", "auto-decoding", "principal"]
WAYS = "{meta,meta-first-order,auto-decoding,principal}"
OptionalAdaptation = Annotated[Adaptation | None, tyro.conf.arg(metavar=WAYS)]


@dataclass(frozen=True)
class Fit(Command):
    """Fit a set of objects: learn the shared part, then every object, and write a collection with its report."""

    data: DataFolder
    """Folder of posed images: one object, or a folder of objects."""
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
    stage1_objects: OptionalCount = None
    """How many objects learn the shared part (split by group); all of them up to 500 if not given."""
    policy: Annotated[Literal["joint", "frozen"] | None, tyro.conf.arg(metavar="{joint,frozen}")] = None
    """In stage 2: fine-tune the shared part as in the paper (joint), or fit codes alone (frozen; the default)."""
    autoencoder: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Latent space of the preset latent: compact (in the package; the default), taesd, sd, or a path of weights."""
    family: Annotated[Family | None, tyro.conf.arg(metavar="{fused-planes,octree,...}")] = None
    """Fused planes, whose objects share all they can; an octree for each object (presets octree, octree-vq); tensor
    planes for each scene (presets tensorf, tensorf-cp, tensorf-paper); basis grids and coefficients for each scene
    (presets factor-fields, factor-fields-paper); or averages of networks that objects share (presets mixture,
    mixture-paper): one of fused-planes, octree, tensorf, factor-fields, mixture. And mixture-images and mixture-voxels,
    whose DATA is a folder of images, or of meshes."""
    adaptation: OptionalAdaptation = None
    """Of images and voxels: how instances get their latent vectors; the preset's if not given."""
    side: OptionalCount = None
    """Of images and voxels: pixels or voxels along a side; the preset's (64 and 32) if not given."""
    bits: OptionalCount = None
    """Of octrees: bits of each corner's index into a codebook of its level, 1 to 10; the preset's if not given."""
    preset: str | None = None
    """Variant of the family (fused-planes, or that of --config, if not given); a wrong name lists them all."""
    config: OptionalFile = None
    """JSON file of settings that replace those of the preset; flags win over it."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""
    no_report: bool = False
    """Do not write report.html."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        given = {"adaptation": self.adaptation, "side": self.side}
        signals = {name: value for name, value in given.items() if value is not None}
        with progress("fit") as report:
            runs.fit(
                self.data,
                self.out,
                minutes=self.minutes,
                objects=self.objects,
                resume=self.resume,
                seed=self.seed,
                stage1_objects=self.stage1_objects,
                policy=self.policy,
                autoencoder=self.autoencoder,
                family=self.family,
                preset=self.preset,
                signals=signals or None,
                octree=None if self.bits is None else {"bits": self.bits},
                config=self.config,
                report=not self.no_report,
                progress=report,
                say=to_stderr,
            )
        print(
            f"collection in {self.out}"
            if not (self.out / "report.html").exists()
            else f"collection in {self.out}, its report in {self.out / 'report.html'}"
        )
        return 0

    def resume_hint(self) -> str:
        return shlex.join(["manyfields", "fit", str(self.data), "--out", str(self.out), "--resume"])
