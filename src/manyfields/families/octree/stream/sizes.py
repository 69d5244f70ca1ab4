"""What each part of an octree object takes, as a file or in a collection, by the paper's count and with every byte."""

from collections.abc import Sequence
from dataclasses import dataclass

from manyfields.compression.bits import packed_bytes
from manyfields.families.octree.stream.stream import StreamHeader, read_header


@dataclass(frozen=True)
class LevelSizes:
    """Bytes of one level. `indices` as stored, `packed` without entropy coding, `uncompressed`: features as float16.

    Where features are not quantised they stand in the place of indices, and the codebook has no bytes.
    """

    level: int
    voxels: int
    corners: int
    bits: int
    topology: int
    codebook: int
    indices: int
    packed: int
    uncompressed: int


@dataclass(frozen=True)
class SizeTable:
    """Bytes of the parts of one file, or of its first levels.

    >>> SizeTable(header=40, network=100, levels=(), network_uncompressed=200).total
    140
    """

    header: int
    network: int
    levels: tuple[LevelSizes, ...]
    network_uncompressed: int
    """Of the network as float16."""

    @property
    def total(self) -> int:
        """Every byte: header, network, topology, codebooks and indices as stored. It is the size of the file."""
        return self.header + self.network + self._sum("topology", "codebook", "indices")

    @property
    def paper(self) -> int:
        """The count of VQ-AD's Table 3: packed indices, codebooks, network; neither topology nor header."""
        return self.network + self._sum("codebook", "packed")

    @property
    def uncompressed(self) -> int:
        """The field that was compressed, by the paper's count: features and network as float16."""
        return self.network_uncompressed + self._sum("uncompressed")

    @property
    def ratio(self) -> float:
        """How many times fewer bytes, every one of them counted; what is compared with has no topology in it."""
        return self.uncompressed / self.total

    @property
    def paper_ratio(self) -> float:
        return self.uncompressed / self.paper

    def rows(self) -> list[tuple[str, int]]:
        """(part, bytes) of header, network, topology, codebooks and indices; they add up to the total."""
        parts = [(name, self._sum(key)) for name, key in (("topology", "topology"), ("codebooks", "codebook"))]
        return [("header", self.header), ("network", self.network), *parts, ("indices", self._sum("indices"))]

    def _sum(self, *names: str) -> int:
        return sum(getattr(level, name) for level in self.levels for name in names)


def size_table(data: bytes, levels: int | None = None) -> SizeTable:
    """The table of a file, of its first `levels` levels alone where given. Its header is enough. CollectionError.

    >>> import torch
    >>> from manyfields.families.octree.stream.stream import VqLevel, VqObject, encode_vq
    >>> level = VqLevel(torch.tensor([0]), torch.zeros(8, dtype=torch.long), torch.ones(4, 2))
    >>> data = encode_vq(VqObject(1, (level,), torch.zeros(3)))
    >>> size_table(data).total == len(data)
    True
    """
    header: StreamHeader = read_header(data)
    sizes = []
    for number, entry in enumerate(header.levels[:levels], header.first):
        sizes.append(
            LevelSizes(
                level=number,
                voxels=entry.voxels,
                corners=entry.corners,
                bits=entry.bits,
                topology=entry.topology,
                codebook=entry.codebook(header.features),
                indices=entry.indices,
                packed=packed_bytes(entry.corners, entry.bits),
                uncompressed=2 * header.features * entry.corners,
            )
        )
    return SizeTable(header.size, header.network_bytes, tuple(sizes), 2 * header.network)


def size_table_of(levels: Sequence[LevelSizes], network: int, header: int) -> SizeTable:
    """The table of an object of a collection: `header` bytes before each layer, and the network that objects share."""
    return SizeTable(header * len(levels), network, tuple(levels), network)
