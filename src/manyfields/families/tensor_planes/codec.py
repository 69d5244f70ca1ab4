"""Codes of tensor fields to bytes and back: float16 numbers, one layer.

docs/reference/format.md, "Layers of the codec tensorf", says the same byte by byte.

    | 100 bytes: mask and texels, box, map | mask | density: planes, vectors | appearance: planes, vectors |

What every transform codec of planes is compared with.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.errors import CollectionError
from manyfields.families.codec import Codec, Fitted, StoredCodec
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import Factors, TensorCodes, TensorGrids
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, VECTOR_AXES, Resolution
from manyfields.fitting.progress import Progress, silent

START = struct.Struct("<4HI22f")
MOST_TEXELS = 4096


class TensorCodec(Codec[TensorCodes]):
    """Codes of a family of tensor fields to one layer each."""

    name: ClassVar[str] = "tensorf"
    stored_as: ClassVar[str | None] = None

    def __init__(self, config: TensorConfig) -> None:
        self.config = config

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config)

    def encode(
        self, codes: TensorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        """Per object its layer. Values beyond float16's range are clamped to it.

        Raises CollectionError for NaN, and for a scene with a network of its own.
        """
        return [[self._encode(grids)] for grids in codes.grids]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B). Raises CollectionError where a layer is cut short or contradicts itself."""
        for layers in objects:
            if len(layers) != 1:
                raise CollectionError(f"an object has {len(layers)} layers, one of tensor fields has 1")
        return TensorCodes(tuple(self._decode(layers[0]) for layers in objects))

    def shapes(self, resolution: Resolution) -> list[tuple[int, ...]]:
        """Those of all numbers of an object, in the order of `TensorGrids.tensors`."""
        found: list[tuple[int, ...]] = []
        for components in (self.config.density_components, self.config.appearance_components):
            if self.config.kind == "vm":
                pairs = zip(ROW_AXES, COLUMN_AXES, strict=True)
                found += [(resolution[row], resolution[column], components) for row, column in pairs]
            found += [(resolution[axis], components) for axis in VECTOR_AXES]
        return found

    def _encode(self, grids: TensorGrids) -> bytes:
        if grids.network is not None:
            raise CollectionError("a scene with a network of its own: this codec has no place for it")
        mask = encode_hull(grids.mask.cpu().numpy())
        # Zeros stand for no map.
        numbers = torch.cat([grids.box.flatten(), torch.zeros(16) if grids.map is None else grids.map.flatten()])
        start = START.pack(len(grids.mask), *grids.resolution, len(mask), *numbers.tolist())
        return start + mask + b"".join(to_halves(tensor, "grids") for tensor in grids.tensors)

    def _decode(self, data: bytes) -> TensorGrids:
        if len(data) < START.size:
            raise CollectionError(f"cut short, {len(data)} bytes are no tensor field")
        cells, x, y, z, mask_bytes, *placed = START.unpack_from(data)
        resolution = x, y, z
        if cells != self.config.guide_side or not all(2 <= texels <= MOST_TEXELS for texels in resolution):
            raise CollectionError(f"a mask of {cells} cells a side and {x} x {y} x {z} texels: not of this family")
        box, matrix = torch.tensor(placed[:6]).view(2, 3), torch.tensor(placed[6:]).view(4, 4)
        if not bool(torch.isfinite(box).all()) or not bool((box[1] > box[0]).all()):
            raise CollectionError("its box has no inside")
        if not bool(torch.isfinite(matrix).all()):
            raise CollectionError("its map holds numbers that are not finite")
        shapes = self.shapes(resolution)
        counts = [math.prod(shape) for shape in shapes]
        expected = START.size + mask_bytes + 2 * sum(counts)
        if len(data) != expected:
            raise CollectionError(f"{len(data)} bytes, but {x} x {y} x {z} texels and their mask have {expected}")
        body = START.size + mask_bytes
        mask = torch.from_numpy(decode_hull(data[START.size : body], (cells,) * 3))
        numbers = np.split(from_halves(data[body:], "grids"), np.cumsum(counts)[:-1])
        made = [torch.from_numpy(part.copy()).view(shape) for part, shape in zip(numbers, shapes, strict=True)]
        half = len(made) // 2
        planes = half - 3
        density, appearance = (Factors(tuple(p[:planes]), tuple(p[planes:])) for p in (made[:half], made[half:]))
        return TensorGrids(box, density, appearance, mask, matrix if bool(matrix.any()) else None)
