"""`manyfields extract`: the surface in a file of `manyfields shape`, or in its first bytes, as a mesh."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from manyfields._checks import NewFile
from manyfields.commands._command import Command, OptionalCount


@dataclass(frozen=True)
class Extract(Command):
    """Write the surface of a file that `manyfields shape` wrote as a mesh, in the units of the mesh that was fitted."""

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """File that `manyfields shape` wrote."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT"), NewFile()]
    """Mesh to write: .ply, .obj, .stl or .glb."""
    bytes: OptionalCount = None
    """How many bytes to read of the file, as if no more had arrived."""
    level: OptionalCount = None
    """By how many of its levels, coarse first; all that were read if not given."""
    resolution: OptionalCount = None
    """Cells along a side of the cube around the mesh, a power of two; twice the finest voxels if not given."""

    def run(self) -> int:
        from manyfields import runs

        surface = runs.extract_surface(
            self.file, self.out, first_bytes=self.bytes, level=self.level, resolution=self.resolution
        )
        print(f"{self.out}: {len(surface.faces):,} triangles")
        return 0
