"""Latents of planes or volumes as bytes: those that masks keep, entropy coded by integer tables of contexts.

tables:  | i16: lowest | u16: K | frequencies of each context |      latents:  | words of the coder |
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from manyfields.compression.entropy import decode_with, encode_with, read_tables, tables_to_bytes
from manyfields.compression.frequencies import FrequencyTable
from manyfields.errors import CollectionError

RANGE = struct.Struct("<hH")
LARGEST = 2047  # of latents


@dataclass(frozen=True, eq=False)
class LatentTables:
    """Frequencies of the whole numbers from `lowest` on, in each of N contexts; they sum to 2^bits."""

    frequencies: Int[Tensor, "N K"]
    bits: int
    lowest: int

    @property
    def tables(self) -> list[FrequencyTable]:
        return [FrequencyTable(own, self.bits) for own in self.frequencies.numpy()]

    def to_bytes(self) -> bytes:
        return RANGE.pack(self.lowest, self.frequencies.shape[1]) + tables_to_bytes(self.tables)

    @staticmethod
    def of(tables: Sequence[FrequencyTable], lowest: int) -> "LatentTables":
        return LatentTables(torch.from_numpy(np.stack([own.frequencies for own in tables])), tables[0].bits, lowest)

    @staticmethod
    def read(data: bytes, contexts: int, what: str) -> "LatentTables":
        """The inverse of `to_bytes`. Raises CollectionError, naming `what`."""
        if len(data) < RANGE.size:
            raise CollectionError(f"{what}: cut short")
        lowest, alphabet = RANGE.unpack_from(data)
        if not 1 <= alphabet <= 2 * LARGEST + 1 or lowest < -LARGEST or lowest + alphabet - 1 > LARGEST:
            raise CollectionError(f"{what}: latents from {lowest} on, {alphabet} of them: not known here")
        tables, end = read_tables(data[RANGE.size :], alphabet, contexts, what)
        if RANGE.size + end != len(data):
            raise CollectionError(f"{what}: bytes after the last table")
        return LatentTables.of(tables, lowest)

    def encode(self, kept: Int[Tensor, "Z n"], contexts: Int[np.ndarray, " m"] | None = None) -> bytes:
        """Words of the coder. A latent's context is its channel where none are given. ValueError beyond LARGEST."""
        if kept.numel() and int(kept.abs().max()) > LARGEST:
            raise ValueError(f"latents beyond {LARGEST}")
        symbols, channels = as_symbols(kept, self.lowest)
        return encode_with(self.tables, symbols, channels if contexts is None else contexts)

    def decode(
        self,
        words: bytes,
        masks: Sequence[Bool[Tensor, "..."]],
        channels: int,
        what: str,
        contexts: Int[np.ndarray, " m"] | None = None,
    ) -> tuple[Int[Tensor, "Z ..."], ...]:
        """The inverse of `encode`, with zeros where masks are. Raises CollectionError, naming `what`."""
        counts = [int(mask.sum()) for mask in masks]
        if contexts is None:
            contexts = np.arange(channels).repeat(sum(counts))
        symbols = decode_with(self.tables, words, len(contexts), contexts, what)
        values = torch.from_numpy(symbols + self.lowest).view(channels, -1)
        latents = []
        for mask, own in zip(masks, values.split(counts, 1), strict=True):
            plane = torch.zeros(channels, *mask.shape, dtype=torch.int64)
            plane[:, mask] = own
            latents.append(plane)
        return tuple(latents)


def kept_latents(latents: Sequence[Int[Tensor, "Z ..."]], masks: Sequence[Bool[Tensor, "..."]]) -> Int[Tensor, "Z n"]:
    """Those of all planes that are stored, by channel: plane after plane, row after row."""
    return torch.cat([own[:, mask] for own, mask in zip(latents, masks, strict=True)], 1)


def as_symbols(kept: Int[Tensor, "Z n"], lowest: int) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Symbols 0, 1, ... of latents for the entropy coder, and their channels."""
    return (kept - lowest).flatten().numpy(), np.arange(len(kept)).repeat(kept.shape[1])
