"""`manyfields compare`: variants of the family, families, or codecs of octree fields, side by side under one budget."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from manyfields._checks import NewFolder
from manyfields.commands._command import Command, DataFolder, OptionalCount, OptionalMinutes, Seed, Threads
from manyfields.commands._progress import progress, to_stderr
from manyfields.commands._tables import print_table

OWN, SHARED, WITH_SHARED = "object_bytes", "shared_bytes", "bytes_with_shared"
FAMILY_COLUMNS = {
    "family": "family",
    "stored_as": "stored as",
    "psnr": "PSNR",
    "foreground_psnr": "foreground",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    OWN: "own bytes an object",
    SHARED: "shared bytes",
    WITH_SHARED: "bytes an object",
    "fit_seconds": "fit s",
    "coding_seconds": "coding s",
    "fps": "fps",
}


@dataclass(frozen=True)
class Compare(Command):
    """Fit the same data with each variant for the same time, stage 1 included, and put the figures in one table.

    With --families: the families themselves, each as fitted and with its codec, on the same held-out views. With
    --codecs: octree fields of each object, stored in each way for the same number of steps (VQ-AD's Tables 2, 3).
    """

    data: DataFolder
    """Folder of posed images of many objects."""
    minutes: OptionalMinutes = None
    """Time for each variant or family, one after the other, all objects together; needed, but for --codecs."""
    out: Annotated[Path, NewFolder()] = Path("runs/compare")
    """Folder for the runs of the variants and the table."""
    variants: tuple[str, ...] = field(default=())
    """Presets to compare; those of the paper's tables if not given."""
    families: tuple[str, ...] = field(default=())
    """Families to compare in the place of variants: all, or some of fused-planes octree tensorf mixture."""
    codecs: bool = False
    """Compare ways to store octree fields: uncompressed, low rank, k-means, hashed and learned codebooks."""
    methods: tuple[str, ...] = field(default=())
    """Of --codecs: such as uncompressed vq6 hash12 vq6_from_noise; those of the paper's tables if not given."""
    objects: tuple[str, ...] = field(default=())
    """Of --families and --codecs: names of objects to take; all of them if not given."""
    steps: OptionalCount = None
    """Of --codecs: steps of each method; 1000 if not given."""
    seed: Seed = 0
    """The same seed, views and threads for every variant or family."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields.cores import use_threads
        from manyfields.errors import ConfigError

        if self.threads is not None:
            use_threads(self.threads)
        if self.codecs and (self.minutes is not None or self.variants):
            raise ConfigError("--codecs goes by --steps, and has methods: leave out --minutes and --variants")
        if self.families and (self.codecs or self.variants):
            raise ConfigError("--families, --variants and --codecs are comparisons of three kinds: give one of them")
        if not self.codecs and (self.methods or self.steps is not None):
            raise ConfigError("--methods and --steps are of --codecs: add it, or leave them out")
        if self.objects and not (self.codecs or self.families):
            raise ConfigError("--objects is of --families and --codecs: add one of them, or leave it out")
        if not self.codecs and self.minutes is None:
            raise ConfigError("--minutes says how long each variant is fitted: give it, or --codecs")
        rows = self._codecs() if self.codecs else self._families() if self.families else self._variants()
        titles = titled(rows, FAMILY_COLUMNS if self.families else {name: name for name in rows[0]})
        print_table(list(titles.values()), [[row.get(name) for name in titles] for row in rows])
        if self.codecs:
            print("bytes are those of one object, its network included: objects share nothing")
        if self.families:
            print(f"pictures in {self.out / 'families.png'}, all of it in {self.out / 'report.html'}")
        return 0

    def _variants(self) -> list[dict[str, Any]]:
        from manyfields import runs

        assert self.minutes is not None
        with progress("compare") as report:
            return runs.compare(
                self.data, minutes=self.minutes, out=self.out, variants=self.variants, seed=self.seed, progress=report
            )

    def _families(self) -> list[dict[str, Any]]:
        from manyfields import runs

        assert self.minutes is not None
        with progress("compare") as report:
            return runs.compare_families(
                self.data,
                minutes=self.minutes,
                out=self.out,
                families=() if self.families == ("all",) else self.families,
                objects=self.objects,
                seed=self.seed,
                progress=report,
                say=to_stderr,
            )

    def _codecs(self) -> list[dict[str, Any]]:
        from manyfields import runs
        from manyfields.families.octree.baselines.methods import METHODS
        from manyfields.runs.comparisons.codecs import STEPS

        with progress("compare") as report:
            return runs.compare_codecs(
                self.data,
                out=self.out,
                steps=self.steps or STEPS,
                methods=self.methods or METHODS,
                objects=self.objects,
                seed=self.seed,
                progress=report,
            )

    def resume_hint(self) -> str:
        return f"run the same command again; what is finished in {self.out} is kept"


def titled(rows: list[dict[str, Any]], titles: dict[str, str]) -> dict[str, str]:
    """What columns are called, by name: that with the shared part in it says by how many objects it is divided.

    >>> titled([{"bytes_with_shared": 99.0, "objects": 4}], {"bytes_with_shared": "bytes an object"})
    {'bytes_with_shared': 'bytes an object, with the shared part, N = 4'}
    """
    from manyfields.evaluation.units import shared_by

    counts = {row["objects"] for row in rows if row.get("objects")}
    if WITH_SHARED not in titles or len(counts) != 1:
        return titles
    return {
        **titles,
        WITH_SHARED: f"{titles[WITH_SHARED].replace(WITH_SHARED, 'bytes an object')}, {shared_by(*counts)}",
    }
