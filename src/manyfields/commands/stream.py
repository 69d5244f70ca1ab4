"""`manyfields stream`: one octree object as a file of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from manyfields._checks import NewFile
from manyfields.commands._command import Command, OptionalCount, RunFolder
from manyfields.commands._run_folder import open_run
from manyfields.commands._tables import print_table


@dataclass(frozen=True)
class Stream(Command):
    """Write one octree object as a file, network included, of which the first bytes already render."""

    folder: RunFolder
    """Run folder, or any collection, of octrees with codebooks."""
    object: str
    """Id of the object; `manyfields info RUN` lists them."""
    out: Annotated[Path, NewFile()]
    """File to write, such as truck.vq; docs/reference/vq_stream.md says what is in it."""
    level: OptionalCount = None
    """How many levels to write; all of them if not given."""

    network_bits: Literal[8, 16] = 8
    """Of each number of the network: 8 halves it, at hardly any loss; 16 keeps it as it is in the collection."""

    def run(self) -> int:
        from manyfields._io import write_atomic
        from manyfields.collection.streams import parts_of_stream, stream_of

        data = stream_of(open_run(self.folder)[self.object], self.level, self.network_bits)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.out, data)
        table = parts_of_stream(data)
        print_table(table.columns, table.rows, table.title)
        print(self.out)
        return 0
