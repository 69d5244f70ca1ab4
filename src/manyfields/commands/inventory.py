"""`manyfields inventory`: procedural meshes of one kind, so that everything can be tried without any data."""

from dataclasses import dataclass

from manyfields.commands._command import Command, Count, OutFolder, Seed


@dataclass(frozen=True)
class Inventory(Command):
    """Make procedural GLB meshes of one kind of object."""

    out: OutFolder
    """Folder to write the GLB files to."""
    kind: str = "vehicle"
    """What to make; a wrong name lists the kinds there are."""
    count: Count = 24
    """How many objects."""
    seed: Seed = 0
    """The same seed makes the same objects."""

    def run(self) -> int:
        from manyfields.views.inventory import make_inventory

        meshes = make_inventory(self.out, self.kind, self.count, self.seed)
        print(f"{len(meshes)} meshes of kind {self.kind} in {self.out}")
        print(f"next: manyfields views render {self.out} VIEWS")
        return 0
