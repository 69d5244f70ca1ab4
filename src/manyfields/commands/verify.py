"""`manyfields verify`: every checksum of a collection."""

import sys
from dataclasses import dataclass

from manyfields.commands._command import Command, RunFolder
from manyfields.commands._run_folder import open_run


@dataclass(frozen=True)
class Verify(Command):
    """Read a collection through and compare every file and every layer with its checksum."""

    folder: RunFolder
    """Run folder, or any collection."""

    def run(self) -> int:
        from manyfields.evaluation.units import format_bytes

        collection = open_run(self.folder)
        problems = collection.verify()
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        if problems:
            return 1
        total = format_bytes(collection.sizes()["total"])
        print(f"{self.folder}: {len(collection):,} objects, {total}, every checksum is right")
        return 0
