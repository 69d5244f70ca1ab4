"""What the parts of octree objects take, to be printed: of one file, or on the mean of some objects of a collection."""

from collections.abc import Sequence

from manyfields.families.codec import PartTable
from manyfields.families.octree.stream.sizes import SizeTable, size_table
from manyfields.families.octree.stream.stream import read_header


def table_of_file(data: bytes) -> PartTable:
    """Level by level, with the byte from which on a file renders so far."""
    ends, table = read_header(data).ends(), size_table(data)
    rows = [["header, network", None, None, None, ends[0]]]
    for level, end in zip(table.levels, ends[1:], strict=True):
        rows.append([f"level {level.level}", level.topology, level.codebook, level.indices, end])
    return PartTable(["part", "topology", "codebook", "indices", "renders from byte"], rows)


def table_of_objects(tables: Sequence[SizeTable], levels: range, network: int) -> PartTable:
    """Mean bytes of the levels of some objects, by the paper's count and with every byte."""
    rows = []
    for level in levels:
        found = [each for table in tables for each in table.levels if each.level == level]
        parts = ("voxels", "corners", "topology", "codebook", "indices")
        means = [round(sum(getattr(each, name) for each in found) / len(tables)) for name in parts]
        kinds = sorted({each.bits for each in found})
        bits = "-" if not kinds else " ".join(map(str, kinds))
        rows.append([f"level {level}", bits, *means, None, None])
    counts = ("paper", "total", "uncompressed")
    paper, total, plain = (round(sum(getattr(table, name) for table in tables) / len(tables)) for name in counts)
    rows.append(["network", None, None, None, None, None, None, network, network])
    rows.append(["all, and the network", None, None, None, None, None, None, paper, total])
    columns = ["part", "bits a corner", "voxels", "corners", "topology", "codebook", "indices"]
    title = f"Octrees: mean bytes of {len(tables)} object{'s' if len(tables) > 1 else ''}"
    note = f"{plain / paper:.1f} times fewer than float16 features by the paper's count, {plain / total:.1f} in all"
    return PartTable([*columns, "paper's count", "every byte"], rows, title, note)
