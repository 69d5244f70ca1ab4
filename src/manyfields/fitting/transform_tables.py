"""Integer tables of frequencies for latents that have been learned, and what they say the latents take."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from manyfields.compression.entropy import best_tables, symbol_counts
from manyfields.compression.transform_density import FactorisedDensity
from manyfields.compression.transform_latents import LatentTables, as_symbols


@torch.no_grad()
def tables_of_density(density: FactorisedDensity, kept: Int[Tensor, "Z n"]) -> LatentTables:
    """One table a channel, by the learned density within the range of the channel."""
    likely, lowest = _likely(density, kept)
    symbols, channels = as_symbols(kept, lowest)
    counts = symbol_counts(symbols, likely.shape[1], channels, len(kept))
    return LatentTables.of(best_tables(counts, likely.numpy()), lowest)


@torch.no_grad()
def bytes_by_density(density: FactorisedDensity, kept: Int[Tensor, "Z n"]) -> float:
    """What latents take by the learned density, within the range of each channel."""
    likely, lowest = _likely(density, kept)
    shares = likely.double() / likely.sum(1, keepdim=True)
    return float(-shares.gather(1, kept - lowest).log2().sum()) / 8


def bytes_by_tables(tables: LatentTables, kept: Int[Tensor, "Z n"]) -> float:
    """What latents take by tables of their channels."""
    shares = tables.frequencies.double() / 2**tables.bits
    return float(-shares.gather(1, kept - tables.lowest).log2().sum()) / 8


def tables_of_classes(kept: Int[Tensor, "Z n"], classes: Int[np.ndarray, " m"], kinds: int) -> LatentTables:
    """One table for each of the `kinds` classes, of the latents that have it: of so few, the best are short."""
    lowest, highest = (int(kept.min()), int(kept.max())) if kept.numel() else (0, 0)
    symbols, _ = as_symbols(kept, lowest)
    return LatentTables.of(best_tables(symbol_counts(symbols, highest - lowest + 1, classes, kinds)), lowest)


def _likely(density: FactorisedDensity, kept: Int[Tensor, "Z n"]) -> tuple[Int[Tensor, "Z K"], int]:
    some = kept if kept.shape[1] else torch.zeros(len(kept), 1, dtype=torch.int64)
    return density.counts(some.amin(1), some.amax(1))
