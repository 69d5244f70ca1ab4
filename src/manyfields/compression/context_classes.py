"""Contexts of entropy coding in classes: those that foretell alike share one table of frequencies."""

import numpy as np
from jaxtyping import Float, Int

from manyfields.compression.frequencies import Table

BITS = 16
ROUNDS = 20
TRUST = 32.0  # a class is believed as if it had so many more counts of the average of all


def shared_classes(
    counts: Float[np.ndarray, "X K"], count: int
) -> tuple[Int[np.ndarray, " X"], Float[np.ndarray, "C K"]]:
    """Contexts X in `count` classes with few bits in all, as k-means does with bits for distances; and their counts."""
    often = np.argsort(-counts.sum(1), kind="stable")
    share = counts.sum(0) + 0.5
    centres = counts[often[:count]] + TRUST * share / share.sum()
    chosen = np.zeros(len(counts), np.int64)
    for _ in range(ROUNDS):
        bits = -np.log2(centres / centres.sum(1, keepdims=True))
        again = (counts @ bits.T).argmin(1)
        if (again == chosen).all():
            break
        chosen = again
        summed = np.zeros_like(centres)
        np.add.at(summed, chosen, counts)
        centres = summed + TRUST * share / share.sum()
    summed = np.zeros_like(centres)
    np.add.at(summed, chosen, counts)
    return chosen, summed


def smoothed_frequencies(counts: Float[np.ndarray, " K"], all_counts: Float[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """Frequencies of a class, all above 0, that sum to 2^16: what it counts, and a little of what all classes do."""
    share = (all_counts + 0.5) / (all_counts + 0.5).sum()
    # Many counts for one, so that the shares of what was not seen here are not rounded away.
    return Table.of_counts(np.round(256 * (counts + TRUST * share)).astype(np.int64) + 1, BITS).frequencies
