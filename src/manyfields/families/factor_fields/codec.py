"""Codes of factor fields to bytes and back: float16 numbers, one layer (docs/reference/format.md, "Layers of the codec
factor-fields").

    | 36 bytes: mask and coefficients, box | mask | basis grids, level after level | coefficients |
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.errors import CollectionError
from manyfields.families.codec import Codec, Fitted, StoredCodec
from manyfields.families.factor_fields.field import LONGEST, FactorConfig
from manyfields.families.factor_fields.grids import FactorCodes, FactorGrids
from manyfields.fields.axes import Resolution
from manyfields.fitting.progress import Progress, silent

START = struct.Struct("<4HI6f")
MOST_COEFFICIENTS = 1 << 26  # what a few bytes may claim


class FactorCodec(Codec[FactorCodes]):
    """Codes of a family of factor fields to one layer each."""

    name: ClassVar[str] = "factor-fields"
    stored_as: ClassVar[str | None] = None

    def __init__(self, config: FactorConfig) -> None:
        self.config = config

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config)

    def encode(
        self, codes: FactorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        """Per object its layer. Values beyond float16's range are clamped to it; NaN raises CollectionError."""
        return [[self._encode(grids)] for grids in codes.grids]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> FactorCodes:
        """Codes (B). Raises CollectionError where a layer is cut short or contradicts itself."""
        return FactorCodes(tuple(self._decode(layer) for layer in only_layers(objects)))

    def _encode(self, grids: FactorGrids) -> bytes:
        mask = encode_hull(grids.mask.cpu().numpy())
        start = START.pack(len(grids.mask), *grids.resolution, len(mask), *grids.box.flatten().tolist())
        return start + mask + b"".join(to_halves(tensor, "grids") for tensor in grids.tensors)

    def _decode(self, data: bytes) -> FactorGrids:
        if len(data) < START.size:
            raise CollectionError(f"cut short, {len(data)} bytes are no factor field")
        cells, x, y, z, mask_bytes, *placed = START.unpack_from(data)
        check_scene(self.config, cells, (x, y, z))
        box = read_box(placed)
        shapes = [*basis_shapes(self.config), (z, y, x, sum(self.config.widths))]
        counts = [math.prod(shape) for shape in shapes]
        body = START.size + mask_bytes
        if len(data) != body + 2 * sum(counts):
            expected = body + 2 * sum(counts)
            raise CollectionError(f"{len(data)} bytes, but {x} x {y} x {z} coefficients and all else have {expected}")
        mask = torch.from_numpy(decode_hull(data[START.size : body], (cells,) * 3))
        numbers = np.split(from_halves(data[body:], "grids"), np.cumsum(counts)[:-1])
        *bases, coefficients = (
            torch.from_numpy(part.copy()).view(shape) for part, shape in zip(numbers, shapes, strict=True)
        )
        return FactorGrids(box, tuple(bases), coefficients, mask)


def only_layers(objects: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The one layer of each object. Raises CollectionError for objects with others."""
    for layers in objects:
        if len(layers) != 1:
            raise CollectionError(f"an object has {len(layers)} layers, one of factor fields has 1")
    return [layers[0] for layers in objects]


def basis_shapes(config: FactorConfig) -> list[tuple[int, int, int, int]]:
    """Of the basis grids, level after level."""
    return [(side, side, side, width) for side, width in zip(config.sides, config.widths, strict=True)]


def check_scene(config: FactorConfig, cells: int, resolution: Resolution) -> None:
    """Raises CollectionError for what no scene of the family has."""
    fits = all(2 <= texels <= LONGEST for texels in resolution)
    if cells != config.guide_side or not fits or math.prod(resolution) * sum(config.widths) > MOST_COEFFICIENTS:
        x, y, z = resolution
        raise CollectionError(f"a mask of {cells} cells a side and {x} x {y} x {z} coefficients: not of this family")


def read_box(numbers: Sequence[float]) -> Float[Tensor, "2 3"]:
    """Raises CollectionError for a box without inside."""
    box = torch.tensor(numbers).view(2, 3)
    if not bool(torch.isfinite(box).all()) or not bool((box[1] > box[0]).all()):
        raise CollectionError("its box has no inside")
    return box
