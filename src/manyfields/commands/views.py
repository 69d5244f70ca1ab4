"""`manyfields views`: make posed images from meshes, and find what is wrong with a folder of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from manyfields.commands._command import Command, Count, DataFolder, OptionalCount, OutFolder, Pixels, Seed
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table

if TYPE_CHECKING:
    from manyfields.views import Problem


@dataclass(frozen=True)
class RenderViews(Command):
    """Render GLB, glTF, OBJ and PLY meshes to posed RGBA views. Runs headless, without a GPU, and resumes."""

    meshes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESHES")]
    """A mesh file, or a folder of them."""
    out: OutFolder
    """Folder of objects to write."""
    views: Count = 160
    """Views of each object."""
    size: Pixels = 128
    """Width and height in pixels."""
    seed: Seed = 0
    """Seed of the cameras."""
    viewpoints: Literal["hemisphere", "sphere", "front", "plane"] = "hemisphere"
    """Where the cameras stand; plane: side by side in front of the mesh, for forward-facing scenes."""
    depth: bool = True
    """Whether a depth image is written for each view."""
    up: Literal["y", "z"] | None = None
    """Up axis of the files; that of their format if not given."""
    light: Annotated[str, tyro.conf.arg(metavar="studio|flat|FILE.hdr")] = "studio"
    """What light falls on the meshes: the studio, which shows colours as they are; none at all (flat); or that of a
    Radiance file."""
    workers: OptionalCount = None
    """Parallel processes; one for each core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields.views.render_set import render_set

        with progress("views render") as report:
            summary = render_set(
                self.meshes,
                self.out,
                views=self.views,
                size=self.size,
                seed=self.seed,
                viewpoints=self.viewpoints,
                depth=self.depth,
                up=self.up,
                light=self.light,
                workers=self.workers,
                progress=lambda done, total, name: report("objects", done, total, last=name),
            )
        if summary.remarks:
            rows = [[name, remark] for name, remarks in summary.remarks.items() for remark in remarks]
            print_table(["object", "remark"], rows)
        if summary.failed:
            print_table(["set aside", "why"], summary.failed.items())
        print(
            f"{len(summary.done)} objects rendered, {len(summary.skipped)} were complete, "
            f"{len(summary.failed)} set aside, in {self.out}"
        )
        return 0

    def resume_hint(self) -> str:
        return "run the same command again; objects that are finished are kept"


@dataclass(frozen=True)
class CheckViews(Command):
    """Say in one table what is wrong with which object and view, and what is read in another way than it is written."""

    data: DataFolder
    """Folder of posed images: one object, or a folder of objects."""
    strict: bool = False
    """Exit with status 1 on any problem (a remark is none), not only where no object is usable."""

    def run(self) -> int:
        from manyfields.views import read_views, usable_views
        from manyfields.views.depth_check import depth_problems

        found = read_views(self.data)
        usable, problems = usable_views(found)
        problems += depth_problems(usable)
        if problems:
            rows = [[p.object, p.view, p.kind, p.message, _outcome(p)] for p in problems]
            print_table(["object", "view", "kind", "what is wrong", "so"], rows)
        remarks = sum(problem.remark for problem in problems)
        print(
            f"{plural(len(problems) - remarks, 'problem')}{', ' + plural(remarks, 'remark') if remarks else ''}; "
            f"usable: {plural(len(usable), 'object')}, {plural(sum(map(len, usable)), 'view')}"
        )
        return 1 if len(usable) == 0 or (self.strict and len(problems) > remarks) else 0


def _outcome(problem: "Problem") -> str:
    if problem.remark:
        return "remark"
    return "object set aside" if problem.fatal else "view left out"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


Action = Annotated[RenderViews, tyro.conf.subcommand("render")] | Annotated[CheckViews, tyro.conf.subcommand("check")]


@dataclass(frozen=True)
class Views(Command):
    """Posed images of many objects: render them from meshes, check them."""

    action: Action

    def check(self) -> None:
        self.action.check()

    def run(self) -> int:
        return self.action.run()

    def resume_hint(self) -> str:
        return self.action.resume_hint()
