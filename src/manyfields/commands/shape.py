"""`manyfields shape`: a mesh as a signed distance field in few bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from manyfields._checks import NATURAL, Bounds, NewFile
from manyfields.commands._command import Command, Count, Seed, Threads
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table

if TYPE_CHECKING:
    from manyfields.shapes.fit_shape import ShapeReport


@dataclass(frozen=True)
class FitShape(Command):
    """Fit a truncated signed distance field to a watertight mesh, and write it as a file, coarse levels first."""

    mesh: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESH")]
    """Mesh file: .glb, .gltf, .obj or .ply. Its colours are left out."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT"), NewFile()]
    """File to write, such as truck.vq; docs/reference/vq_stream.md says what is in it."""
    bits: Annotated[int, Bounds(least=1, most=10)] = 6
    """Bits of each corner's index into the codebook of its level, 1 to 10."""
    levels: Annotated[tuple[int, int], NATURAL] = (4, 7)
    """Coarsest and finest level: a level l divides the cube around the mesh into 2^l voxels a side."""
    truncation: Annotated[float, Bounds(above=0, most=2)] = 0.03
    """Distances are learned up to this; the cube is 2 long, the mesh's farthest vertex 0.9 from its middle."""
    steps: Count = 600
    """Steps of the fit."""
    seed: Seed = 0
    """The same seed on the same machine gives the same file."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""
    holes_allowed: bool = False
    """Take a mesh that is not watertight: near its holes inside and outside are guessed."""
    no_scores: bool = False
    """Do not extract the surfaces of all levels to compare them with the mesh."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads
        from manyfields.shapes.field import DistanceConfig
        from manyfields.shapes.fitter import DistanceSettings

        if self.threads is not None:
            use_threads(self.threads)
        with progress("shape") as report:
            found = runs.fit_shape(
                self.mesh,
                self.out,
                config=DistanceConfig(*self.levels, truncation=self.truncation),
                settings=DistanceSettings(steps=self.steps, bits=self.bits),
                seed=self.seed,
                holes_allowed=self.holes_allowed,
                measure=not self.no_scores,
                progress=report,
            )
        print_report(found)
        print(self.out)
        return 0

    def resume_hint(self) -> str:
        return "nothing was written; run the same command again (a fit of minutes has no checkpoints)"


def print_report(found: "ShapeReport") -> None:
    """Bytes of each level by part, then how near each surface is, beside the mesh in other forms."""
    sizes = found.sizes
    rows = [["header, network", None, None, None, None, sizes.header + sizes.network]]
    for level, upto in zip(sizes.levels, found.levels, strict=True):
        rows.append([f"level {level.level}", level.corners, level.topology, level.codebook, level.indices, upto.bytes])
    print_table(["part", "corners", "topology", "codebook", "indices", "surface from byte"], rows)
    every = [*found.levels, *found.meshes]
    figures = [[each.name, each.bytes, each.chamfer, each.normal_error] for each in every]
    print_table(["surface", "bytes", "Chamfer, 1/1000 of the diagonal", "normals, degrees"], figures)
