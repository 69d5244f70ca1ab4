"""Micro planes of a set by codebooks that all its objects share; all other tensors as the plain codec stores them.

                    a texel's features / the object's gains ── codebooks ──► indices ── shared tables ──► bytes

    layer of micro planes:  | gains: a float16 for each feature | words of the entropy coder |

Codebooks and tables of frequencies are the codec's: an object has no bytes but its gains and its indices. Gains make
objects that are louder than those the codebooks were learned from fit these. Texels that no point of the object's hull
reads are left out: the hull comes first, so a decoder knows them; they decode to zeros.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from manyfields.compression.entropy import decode_with, encode_with
from manyfields.compression.frequencies import Table
from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.compression.raw import RawCodec
from manyfields.compression.vector_codebooks import Codebooks
from manyfields.errors import CollectionError
from manyfields.fields import Codes

MICRO = ("micro",)
TABLE_BITS = 16
FAINTEST = 2.0**-14  # gains are at least this: the smallest normal float16


class VqMicroCodec:
    """The codec of one set. `layers` and `shapes` as for RawCodec; micro planes are the last layer, alone in it."""

    def __init__(
        self,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        codebooks: Codebooks,
        tables: Sequence[Table],
    ) -> None:
        self.layers = [tuple(names) for names in layers]
        if self.layers[-1:] != [MICRO] or codebooks.width != shapes["micro"][-1]:
            raise ValueError("the last layer must be the micro planes, of as many features as the codebooks have")
        self.shapes = dict(shapes)
        self.codebooks = codebooks
        self.tables = list(tables)
        self._others = RawCodec(self.layers[:-1], self.shapes)

    @staticmethod
    def learn(
        codes: Codes,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        bits: Sequence[int],
        *,
        groups: int = 1,
        seed: int = 0,
        weights: Float[Tensor, "B 3 H W"] | None = None,
    ) -> "VqMicroCodec":
        """Codebooks of `bits` (one a stage, see Codebooks.learn) and their tables from the codes of some objects.

        `weights` say how much each texel counts, all alike when None. Raises ValueError where codes have no texels.
        """
        micro, masks = _texels(codes)
        if not bool(masks.any()):
            raise ValueError("none of the objects has a texel to learn codebooks from")
        rows = [planes[mask] for planes, mask in zip(micro, masks, strict=True)]
        features = torch.cat([row / _gains(row) for row in rows])
        counted = None if weights is None else weights.cpu()[masks]
        books = Codebooks.learn(features, bits, groups=groups, seed=seed, weights=counted)
        tables = []
        for column, width in zip(books.indices(features).T, books.bits, strict=True):
            # One more of each than was seen: what comes later may need any entry.
            counts = np.bincount(column.numpy(), minlength=1 << width) + 1
            tables.append(Table.of_counts(counts, TABLE_BITS))
        return VqMicroCodec(layers, shapes, books, tables)

    def shared_bytes(self) -> int:
        """Bytes of codebooks and tables, which all objects share."""
        return len(self.codebooks.to_bytes()) + sum(2 * len(table.frequencies) for table in self.tables)

    def encode(self, codes: Codes, gains: Float[Tensor, "B F"] | None = None) -> list[list[bytes]]:
        """Per object its layers. `gains`: see `gains`, which gives them when None. Raises CollectionError for NaN."""
        encoded = self._others.encode(codes) if self._others.layers else [[] for _ in range(len(codes))]
        used = self.gains(codes) if gains is None else as_halves(gains)
        for layers, planes, mask, gain in zip(encoded, *_texels(codes), used, strict=True):
            if bool(planes.isnan().any()):
                raise CollectionError("a code holds NaN in micro: its fit has diverged, lower the rates")
            columns = self.codebooks.indices(planes[mask] / gain.clamp(min=FAINTEST)).T
            coded = encode_with(self.tables, columns.reshape(-1).numpy(), self._books(columns.shape[1]))
            layers.append(to_halves(gain, "micro planes") + coded)
        return encoded

    def decode(self, objects: Sequence[Sequence[bytes]]) -> Codes:
        """Codes (B, ...) from the layers of each object; absent layers as RawCodec. Raises CollectionError."""
        count = len(self._others.layers)
        for layers in objects:
            if not 1 <= len(layers) <= count + 1:
                raise CollectionError(f"an object has {len(layers)} layers, its family {count + 1}")
        micro = torch.zeros(len(objects), *self.shapes["micro"])
        others = dict(self._others.decode([layers[:count] for layers in objects]).tensors) if count else {}
        codes = Codes({**others, "micro": micro})
        for row, (layers, mask) in enumerate(zip(objects, _masks(codes, micro), strict=True)):
            if len(layers) > count:
                micro[row][mask] = self._decode_texels(layers[count], int(mask.sum()))
        return codes

    def gains(self, codes: Codes) -> Float[Tensor, "B F"]:
        """How loud each feature of each object is: the root of its mean square over texels that count."""
        return torch.stack([_gains(planes[mask]) for planes, mask in zip(*_texels(codes), strict=True)])

    def tensors(self) -> dict[str, Tensor]:
        """What to store of the codec: codebooks in float16, and frequencies less 1 in 16 bits."""
        frequencies = np.concatenate([table.frequencies for table in self.tables]) - 1
        books = torch.cat([book.flatten() for stages in self.codebooks.books for book in stages])
        return {"codebooks": books.half(), "frequencies": torch.from_numpy(frequencies.astype(np.uint16))}

    def config(self) -> dict[str, Any]:
        """JSON that `from_tensors` needs."""
        stages = self.codebooks.books[0]
        return {"groups": len(self.codebooks.books), "bits": [(len(book) - 1).bit_length() for book in stages]}

    @staticmethod
    def from_tensors(
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
    ) -> "VqMicroCodec":
        """The inverse of `tensors` and `config`. Raises CollectionError where they do not fit together."""
        try:
            data = to_halves(tensors["codebooks"].float(), "codebooks")
            books = Codebooks.from_bytes(data, shapes["micro"][-1], config["bits"], config["groups"])
            values = tensors["frequencies"].numpy().astype(np.int64) + 1
            parts = np.split(values, np.cumsum([1 << bits for bits in books.bits]))
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(f"the codec's codebooks do not fit its config ({error})") from error
        if len(parts.pop()) or any(int(part.sum()) != 1 << TABLE_BITS for part in parts):
            raise CollectionError(f"the codec's frequencies do not sum to 2^{TABLE_BITS} for each codebook")
        return VqMicroCodec(layers, shapes, books, [Table(part, TABLE_BITS) for part in parts])

    def _books(self, count: int) -> Int[np.ndarray, " m"]:
        """The codebook that each index belongs to: all indices of the first one come first."""
        return np.repeat(np.arange(len(self.tables)), count)

    def _decode_texels(self, data: bytes, count: int) -> Float[Tensor, "m F"]:
        what = "the layer of micro planes"
        width = 2 * self.codebooks.width
        if len(data) < width:
            raise CollectionError(f"{what} has {len(data)} bytes, too few for its gains")
        gains = torch.from_numpy(from_halves(data[:width], what))
        symbols = decode_with(self.tables, data[width:], count * len(self.tables), self._books(count), what)
        return self.codebooks.features(torch.from_numpy(symbols).view(len(self.tables), count).T) * gains


def texels_of_hull(hull: UInt8[Tensor, "S S S"], side: int) -> Bool[Tensor, "3 H W"]:
    """Texels of planes XY, XZ, YZ (rows y, z, z; columns x, x, y) that points inside the hull read.

    A point in a cell reads the two samples around it along either axis; samples 0 and side - 1 are the box's faces.
    """
    cells = torch.arange(len(hull), device=hull.device)
    low = cells * (side - 1) // len(hull)
    high = -(-(cells + 1) * (side - 1) // len(hull))
    texels = torch.arange(side, device=hull.device)
    reads = ((texels >= low[:, None]) & (texels <= high[:, None])).float()
    solid = hull > 0
    shadows = torch.stack([solid.any(2).T, solid.any(1).T, solid.any(0).T]).float()
    return reads.T @ shadows @ reads > 0


def _texels(codes: Codes) -> tuple[Float[Tensor, "B 3 H W F"], Bool[Tensor, "B 3 H W"]]:
    """Micro planes, and which of their texels count."""
    micro = codes.tensors["micro"].detach().cpu().float()
    return micro, _masks(codes, micro)


def _masks(codes: Codes, micro: Tensor) -> Bool[Tensor, "B 3 H W"]:
    """The texels that count: all of them for a family without hulls."""
    if "hull" not in codes.tensors:
        return torch.ones(micro.shape[:-1], dtype=torch.bool)
    return torch.stack([texels_of_hull(hull.cpu(), micro.shape[2]) for hull in codes.tensors["hull"]])


def _gains(texels: Float[Tensor, "m F"]) -> Float[Tensor, " F"]:
    if not len(texels):
        return torch.ones(texels.shape[1])
    return as_halves(texels.square().mean(0).sqrt()).clamp(min=FAINTEST)
