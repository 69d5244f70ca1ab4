"""Latents as a step sees them: with noise or rounded, and those that a drawn mask leaves out at 0."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compression.entropy import best_tables, symbol_counts
from manyfields.compression.transform.density import FactorisedDensity
from manyfields.compression.transform.latents import LatentTables, as_symbols

OPEN = 2.0  # log-odds of a latent to be kept, at the start


def seen_latents(
    latents: Float[Tensor, "Z *sides"],
    odds: Float[Tensor, "*sides"] | None,
    temperature: float,
    rounded: bool,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "Z *sides"], Float[Tensor, "Z *sides"], Float[Tensor, "*sides"] | None]:
    """With uniform noise, by which bits are counted; as decoders see them; and the mask, None without `odds`."""
    noisy = latents + torch.rand(latents.shape, generator=generator) - 0.5
    seen = latents + (latents.round() - latents).detach() if rounded else noisy
    if odds is None:
        return noisy, seen, None
    kept = drawn_mask(odds, temperature, generator)
    return noisy, seen * kept, kept


def drawn_mask(
    odds: Float[Tensor, "*sides"], temperature: float, generator: torch.Generator
) -> Float[Tensor, "*sides"]:
    """Zeros and ones, drawn by their log-odds; gradients are those of the softmax at `temperature` (equation 8).

    The difference of two Gumbel variables is logistic.
    """
    uniform = torch.rand(odds.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    raised = odds + uniform.log() - (-uniform).log1p()
    soft = torch.sigmoid(raised / temperature)
    return (raised.detach() > 0).float() + (soft - soft.detach())


def masks_of(odds: list[Tensor], masked: bool) -> list[Tensor]:
    """What is kept in the end, as booleans: everything where masks do not learn."""
    return [own.detach() > 0 if masked else torch.ones_like(own, dtype=torch.bool) for own in odds]


@torch.no_grad()
def whole_latents(latents: list[Tensor], masks: list[Tensor], largest: int) -> list[Tensor]:
    """Latents to store, as whole numbers up to `largest`: 0 where the mask is."""
    pairs = zip(latents, masks, strict=True)
    return [own.detach().round().clamp(-largest, largest).long() * mask for own, mask in pairs]


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
