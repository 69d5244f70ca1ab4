"""What the parts of octree objects take, level by level: for `manyfields info`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyfields.commands._tables import print_table

if TYPE_CHECKING:
    from manyfields.collection import Collection


def print_octree_sizes(collection: "Collection", ids: Sequence[str]) -> None:
    """Mean bytes of the levels of some objects, by the paper's count and with every byte; nothing for other families.

    The network is that of the collection: stored once, and counted here as if an object came alone.
    """
    if collection.config.get("codec") != "octree" or not ids:
        return
    from manyfields.families.octree.stream.codec import OctreeCodec
    from manyfields.families.octree.stream.sizes import SizeTable, size_table_of

    shared = collection.shared_part
    codec = OctreeCodec(shared.family.config)
    network = 2 * sum(parameter.numel() for parameter in shared.family.parameters())
    tables: list[SizeTable] = [size_table_of(codec.sizes(collection.layers(id)), network, codec.start) for id in ids]
    rows = []
    for level in shared.family.config.levels:
        found = [each for table in tables for each in table.levels if each.level == level]
        parts = ("voxels", "corners", "topology", "codebook", "indices")
        means = [round(sum(getattr(each, name) for each in found) / len(ids)) for name in parts]
        kinds = sorted({each.bits for each in found})
        bits = "-" if not kinds else " ".join(map(str, kinds))
        rows.append([f"level {level}", bits, *means, None, None])
    counts = ("paper", "total", "uncompressed")
    paper, total, plain = (round(sum(getattr(table, name) for table in tables) / len(tables)) for name in counts)
    rows.append(["network", None, None, None, None, None, None, network, network])
    rows.append(["all, and the network", None, None, None, None, None, None, paper, total])
    columns = ["part", "bits a corner", "voxels", "corners", "topology", "codebook", "indices"]
    title = f"Octrees: mean bytes of {len(ids)} object{'s' if len(ids) > 1 else ''}"
    print_table([*columns, "paper's count", "every byte"], rows, title)
    print(f"{plain / paper:.1f} times fewer than float16 features by the paper's count, {plain / total:.1f} in all")
