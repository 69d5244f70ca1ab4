"""The hyperprior of transform coding: hyper-latents that tell how far from 0 each latent may lie.

    hyper-latents (Y, h/4, w/4) ── transposed convolution ── SELU ── transposed convolution ──► classes (Z, h, w)

Balle et al. (2018), as Neural NeRF Compression (2024, table 6) has it. A class is a whole number, 0 to 15, and names
one of the integer tables that latents are coded by; what width it stands for matters while it is learned, not to a
decoder. All machines must find the same classes, or latents could not be read: sums are those of whole numbers, SELU is
that of whole numbers of 2^-12, by a table, and what is left are single products and sums of IEEE 754.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compression.transform.decoder import (
    LARGEST,
    SELU_ALPHA,
    SELU_SCALE,
    UNITS,
    WholeDecoder,
    decode_decoder,
    encode_decoder,
    latent_side,
)
from manyfields.compression.transform.latents import LatentTables, kept_latents
from manyfields.compression.transform.masks import decode_masks, encode_masks
from manyfields.errors import CollectionError

CLASSES = 16
DEEPEST = 10  # where SELU is at its lowest, to 2^-12
SIZES = struct.Struct("<HH")
MOST_CHANNELS = 1024
MOST_NUMBERS = 1 << 27  # of hyper-latents, hidden layer and classes: what a few bytes may claim


@dataclass(frozen=True, eq=False)
class CodedHyper:
    """Hyper-latents (Y, h', w') of the planes XY, XZ, YZ, 0 where their masks (h', w') are."""

    decoder: WholeDecoder
    masks: tuple[Tensor, ...]
    latents: tuple[Tensor, ...]
    tables: LatentTables
    """One context a channel."""

    def classes(self, sizes: Sequence[tuple[int, int]]) -> list[Int[Tensor, "Z _ _"]]:
        """Of the latents of planes, whose sizes (h, w) are given; the same on every machine."""
        return [_classes(self.decoder, own, size) for own, size in zip(self.latents, sizes, strict=True)]

    def parts(self) -> dict[str, bytes]:
        """The parts of a file, by name. Raises CollectionError for NaN."""
        weights = self.decoder.first.weights
        decoder = SIZES.pack(*weights.shape[:2]) + encode_decoder(self.decoder, HYPER_PARTS[0])
        masks = encode_masks([mask.numpy() for mask in self.masks])
        words = self.tables.encode(kept_latents(self.latents, self.masks))
        return dict(zip(HYPER_PARTS, (decoder, self.tables.to_bytes(), masks, words), strict=True))

    @staticmethod
    def of_parts(parts: dict[str, bytes], sizes: Sequence[tuple[int, int]], latent: int, bits: int) -> "CodedHyper":
        """The inverse, for `latent` channels of latents and a decoder of `bits`. Raises CollectionError."""
        name = HYPER_PARTS[0]
        if len(parts[name]) < SIZES.size:
            raise CollectionError(f"{name}: cut short")
        channels, hidden = SIZES.unpack_from(parts[name])
        texels = sum(rows * columns for rows, columns in sizes)
        if not (1 <= channels <= MOST_CHANNELS and 1 <= hidden <= MOST_CHANNELS):
            raise CollectionError(f"{name}: {channels} hyper-latents and {hidden} hidden channels: too few or too many")
        if texels * (latent + hidden / 4 + channels / 16) > MOST_NUMBERS:
            raise CollectionError(f"{name}: more than {MOST_NUMBERS} numbers to decode")
        decoder = decode_decoder(parts[name][SIZES.size :], channels, hidden, latent, bits, name)
        tables = LatentTables.read(parts["hyper tables"], channels, "hyper tables")
        found = decode_masks(parts["hyper masks"], hyper_sizes(sizes), "the mask of hyper-latents")
        masks = tuple(torch.from_numpy(mask) for mask in found)
        return CodedHyper(
            decoder, masks, tables.decode(parts["hyper latents"], masks, channels, "hyper latents"), tables
        )


def hyper_sizes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(h', w') of the hyper-latents of latents of some sizes (h, w)."""
    return [(latent_side(rows), latent_side(columns)) for rows, columns in sizes]


@torch.no_grad()
def _classes(decoder: WholeDecoder, latents: Int[Tensor, "Y h w"], size: tuple[int, int]) -> Int[Tensor, "Z H W"]:
    limit = LARGEST * UNITS
    raised = (decoder.first(latents.double()) * UNITS).round().clamp(-limit, limit)
    found = decoder.second(selu_of_units(raised), 1.0 / UNITS)[:, : size[0], : size[1]]
    return found.round().clamp(0, CLASSES - 1).long()


def selu_of_units(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """SELU of whole numbers of 2^-12 (float64), in whole numbers of 2^-12."""
    below = torch.from_numpy(_selu_below())[(-values).clamp(0, DEEPEST * UNITS).long()]
    return torch.where(values > 0, (SELU_SCALE * values).round(), below)


@lru_cache(maxsize=1)
def _selu_below() -> Float[np.ndarray, " n"]:
    """SELU of 0, -1, -2, ... units. None lies within 10^-6 of a tie: any exponential rounds to the same numbers."""
    steps = np.arange(int(DEEPEST * UNITS) + 1)
    return (SELU_SCALE * SELU_ALPHA * UNITS * np.expm1(-steps / UNITS)).round()


HYPER_PARTS = ("hyper decoder", "hyper tables", "hyper masks", "hyper latents")
