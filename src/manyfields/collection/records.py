"""What a collection knows of one object: as it is handed in, and as it is found again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
UNIT_CUBE = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

Matrix = Sequence[Sequence[float]] | np.ndarray


@dataclass(frozen=True, eq=False)
class ObjectRecord:
    """One object to store.

    `layers`: the object's bytes, coarsest first; every prefix of the list is a valid, coarser object.
    `world_to_object`: 4x4 float64, takes a point of the world of the object's own cameras to object coordinates.
    `bounds`: low and high corner (2x3) of the box in object coordinates that rays are clipped to.
    `metrics`: figures measured on the stored bytes (`{"psnr": 28.3}`); leave out what was not measured.

    >>> ObjectRecord("truck", [b"coarse", b"fine"], label="vehicle", metrics={"psnr": 28.3}).layers[:1]
    [b'coarse']
    """

    id: str
    layers: list[bytes]
    label: str | None = None
    group: str | None = None
    world_to_object: Matrix = IDENTITY
    bounds: Matrix = UNIT_CUBE
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ObjectEntry:
    """One stored object's row of the index: everything but its payload.

    `shard`: number of the wave it was stored in. `ranges`: for every layer its first byte and the byte after its
    last, in the codes file of that shard. `crc`: CRC32C of every layer. `world_to_object` (4, 4) and `bounds` (2, 3)
    are float64 arrays.

    >>> from manyfields.collection.reader import create_collection
    >>> collection = create_collection("shelf", shared={}, config={})
    >>> collection.append([ObjectRecord("truck", [b"coarse", b"fine"])])
    >>> entry = collection.entry("truck")
    >>> entry.bytes, [end - begin for begin, end in entry.ranges], entry.shard
    (10, [6, 4], 0)
    """

    id: str
    label: str | None
    group: str | None
    shard: int
    ranges: tuple[tuple[int, int], ...]
    crc: tuple[int, ...]
    world_to_object: np.ndarray
    bounds: np.ndarray
    metrics: dict[str, float]

    @property
    def bytes(self) -> int:
        """Bytes of all its layers."""
        return sum(end - begin for begin, end in self.ranges)
