"""Micro planes of a set by codebooks that all its objects share; all other tensors as the plain codec stores them.

                    a texel's features / the object's gain ── codebooks ──► indices ── shared tables ──► bytes

    layer of micro planes:  | gain: a float16 | words of the entropy coder |

Codebooks and tables of frequencies are the codec's: an object has no bytes but its gain and its indices. The gain makes
objects that are louder than those the codebooks were learned from fit these. Texels that no point of the object's hull
reads are left out: the hull comes first, so a decoder knows them; they decode to zeros.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from manyfields.compression.context_classes import BITS
from manyfields.compression.context_tables import ABSENT, ContextTables
from manyfields.compression.halves import as_halves, from_halves, to_halves
from manyfields.compression.raw import RawCodec
from manyfields.compression.vector_codebooks import Codebooks
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.stored_texels import MICRO, texels_that_count
from manyfields.fields import Codes

FAINTEST = 2.0**-14  # gains are at least this: the smallest normal float16
WHAT = "the layer of micro planes"


class VqMicroLayers:
    """Codebooks and tables of one set.

    `layers` and `shapes` as for RawCodec; micro planes are the last layer, alone in it.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        codebooks: Codebooks,
        tables: ContextTables,
    ) -> None:
        self.layers = [tuple(names) for names in layers]
        if self.layers[-1:] != [MICRO] or codebooks.width != shapes["micro"][-1]:
            raise ValueError("the last layer must be the micro planes, of as many features as the codebooks have")
        self.shapes = dict(shapes)
        self.codebooks = codebooks
        self.tables = tables
        self._others = RawCodec(self.layers[:-1], self.shapes)

    @classmethod
    def of_codes(
        cls,
        codes: Codes,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        bits: Sequence[int],
        *,
        groups: int = 1,
        seed: int = 0,
    ) -> Self:
        """Codebooks of `bits` (one a stage, see Codebooks.learn) and their tables from the codes of some objects.

        Raises ValueError where codes have no texels, or `groups` does not divide their features.
        """
        micro, masks = _texels(codes)
        if not bool(masks.any()):
            raise ValueError("none of the objects has a texel to learn codebooks from")
        rows = [planes[mask] for planes, mask in zip(micro, masks, strict=True)]
        rows = [row / gain_of(row) for row in rows]
        books = Codebooks.learn(torch.cat(rows), bits, groups=groups, seed=seed)
        planes = [_planes(books.indices(row), mask) for row, mask in zip(rows, masks, strict=True)]
        return cls(layers, shapes, books, ContextTables.learn(planes, [1 << width for width in books.bits]))

    def with_tables_of(self, codes: Codes, gains: Float[Tensor, " B"]) -> Self:
        """The same codebooks with tables learned anew, from codes (with their gains) as they will be stored."""
        planes = [
            _planes(self.codebooks.indices(texels[mask] / gain), mask)
            for texels, mask, gain in zip(*_texels(codes), gains, strict=True)
        ]
        tables = ContextTables.learn(planes, [1 << width for width in self.codebooks.bits])
        return type(self)(self.layers, self.shapes, self.codebooks, tables)

    def shared_bytes(self) -> int:
        """Bytes of codebooks and tables, which all objects share."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors().values())

    def layers_of(self, codes: Codes, gains: Float[Tensor, " B"] | None = None) -> list[list[bytes]]:
        """Per object its layers. `gains`: see `gains`, which gives them when None. Raises CollectionError for NaN."""
        encoded = self._others.encode(codes) if self._others.layers else [[] for _ in range(len(codes))]
        used = self.gains(codes) if gains is None else as_halves(gains)
        for layers, planes, mask, gain in zip(encoded, *_texels(codes), used.clamp(min=FAINTEST), strict=True):
            if bool(planes.isnan().any()):
                raise CollectionError("a code holds NaN in micro: its fit has diverged, lower the rates")
            indices = _planes(self.codebooks.indices(planes[mask] / gain), mask)
            layers.append(to_halves(gain[None], "micro planes") + self.tables.encode(indices))
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
        for row, (layers, mask) in enumerate(zip(objects, texels_that_count(codes), strict=True)):
            if len(layers) > count:
                micro[row][mask] = self._decode_texels(layers[count], mask)
        return codes

    def gains(self, codes: Codes) -> Float[Tensor, " B"]:
        """How loud the micro planes of each object are: the root of their mean square over texels that count."""
        return torch.stack([gain_of(planes[mask]) for planes, mask in zip(*_texels(codes), strict=True)])

    def costs(self, indices: Int[Tensor, "m n"], mask: Bool[Tensor, "3 H W"]) -> list[Float[Tensor, "m _"]]:
        """What each entry of each codebook would cost at each texel, in bits, below the neighbours `indices`."""
        planes = _planes(indices, mask)
        above = np.full_like(planes, ABSENT)
        above[:, :, 1:] = planes[:, :, :-1]
        return [torch.from_numpy(self.tables.bits(n, own[mask.numpy()])) for n, own in enumerate(above)]

    def tensors(self) -> dict[str, Tensor]:
        """What to store of the codec: codebooks in float16, classes, and frequencies less 1 in 16 bits."""
        frequencies = np.concatenate([rows.flatten() for rows in self.tables.frequencies]) - 1
        books = torch.cat([book.flatten() for stages in self.codebooks.books for book in stages])
        return {
            "classes": torch.from_numpy(np.concatenate(self.tables.classes).astype(np.uint8)),
            "codebooks": books.half(),
            "frequencies": torch.from_numpy(frequencies.astype(np.uint16)),
        }

    def file_config(self) -> dict[str, Any]:
        """JSON that `from_tensors` needs."""
        stages = self.codebooks.books[0]
        bits = [(len(book) - 1).bit_length() for book in stages]
        return {"bits": bits, "classes": len(self.tables.frequencies[0]), "groups": len(self.codebooks.books)}

    @classmethod
    def from_tensors(
        cls,
        layers: Sequence[Sequence[str]],
        shapes: Mapping[str, tuple[int, ...]],
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
    ) -> Self:
        """The inverse of `tensors` and `file_config`. Raises CollectionError where they do not fit together."""
        try:
            data = to_halves(tensors["codebooks"].float(), "codebooks")
            books = Codebooks.from_bytes(data, shapes["micro"][-1], config["bits"], config["groups"])
            widths, count = [1 << bits for bits in books.bits], config["classes"]
            values = tensors["frequencies"].numpy().astype(np.int64) + 1
            *tables, rest = np.split(values, np.cumsum([count * width for width in widths]))
            *classes, more = np.split(tensors["classes"].numpy().astype(np.int64), np.cumsum(np.add(widths, 1)))
            tables = [table.reshape(count, width) for table, width in zip(tables, widths, strict=True)]
            codec = cls(layers, shapes, books, ContextTables(tuple(classes), tuple(tables)))
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(f"the codec's codebooks do not fit its config ({error})") from error
        if len(rest) or any((table.sum(1) != 1 << BITS).any() for table in tables):
            raise CollectionError(f"the codec's frequencies do not sum to 2^{BITS} for each class")
        if len(more) or any(len(own) != width + 1 for own, width in zip(classes, widths, strict=True)):
            raise CollectionError("the codec has another number of classes of indices than its codebooks have")
        if any((own >= count).any() for own in classes):
            raise CollectionError(f"the codec names a class that it has no table of, of {count}")
        return codec

    def _decode_texels(self, data: bytes, mask: Bool[Tensor, "3 H W"]) -> Float[Tensor, "m F"]:
        if len(data) < 2:
            raise CollectionError(f"{WHAT} has {len(data)} bytes, too few for its gain")
        gain = float(from_halves(data[:2], WHAT)[0])
        planes = self.tables.decode(data[2:], mask.numpy(), WHAT)
        return self.codebooks.features(torch.from_numpy(planes[:, mask.numpy()]).T) * gain


def gain_of(texels: Float[Tensor, "m F"]) -> Float[Tensor, ""]:
    """The root of the mean square, as a float16 holds it."""
    if not len(texels):
        return torch.tensor(1.0)
    return as_halves(texels.square().mean().sqrt()).clamp(min=FAINTEST)


def _texels(codes: Codes) -> tuple[Float[Tensor, "B 3 H W F"], Bool[Tensor, "B 3 H W"]]:
    return codes.tensors["micro"].detach().cpu().float(), texels_that_count(codes)


def _planes(indices: Int[Tensor, "m n"], mask: Bool[Tensor, "3 H W"]) -> Int[np.ndarray, "n 3 H W"]:
    planes = np.full((indices.shape[1], *mask.shape), ABSENT, np.int64)
    planes[:, mask.numpy()] = indices.T.numpy()
    return planes
