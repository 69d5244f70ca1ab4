"""Contexts of entropy coding in classes: those that foretell alike share one table of frequencies."""

import numpy as np
from jaxtyping import Float, Int

from manyfields.compression.frequencies import FrequencyTable

BITS = 16
ROUNDS = 20
TRUST = 32.0  # a class is believed as if it had so many more counts of the average of all


def shared_classes(
    counts: Float[np.ndarray, "X K"], count: int
) -> tuple[Int[np.ndarray, " X"], Float[np.ndarray, "C K"]]:
    """Contexts X in C classes with few bits in all, as k-means does with bits for distances; and their counts.

    C is `count`, or X where there are not so many contexts; a class may be empty.

    Classes start as contexts in the order of what a symbol of theirs costs by the average of all, in parts of equal
    cost: those that start alike end as one. What was never counted goes where the average of all costs least.
    """
    count = min(count, len(counts))
    share = (counts.sum(0) + 0.5) / (counts.sum(0) + 0.5).sum()
    often = counts.sum(1)
    costs = counts @ -np.log2(share)
    met = np.flatnonzero(often)
    met = met[np.argsort(costs[met] / often[met], kind="stable")]
    own = counts[met]
    middles = costs[met].cumsum() - 0.5 * costs[met]
    chosen = (middles * (count / max(costs.sum(), 1e-12))).astype(np.int64).clip(0, count - 1)
    for _ in range(ROUNDS):
        again = (own @ _bits(own, chosen, count, share).T).argmin(1)
        if (again == chosen).all():
            break
        chosen = again
    classes = np.full(
        len(counts), chosen[(_bits(own, chosen, count, share)[chosen] @ share).argmin()] if len(met) else 0
    )
    classes[met] = chosen
    return classes, _summed(counts, classes, count)


def _bits(
    counts: Float[np.ndarray, "X K"], chosen: Int[np.ndarray, " X"], count: int, share: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "C K"]:
    """What a symbol costs in each class."""
    centres = _summed(counts, chosen, count) + TRUST * share
    return -np.log2(centres / centres.sum(1, keepdims=True))


def _summed(counts: Float[np.ndarray, "X K"], chosen: Int[np.ndarray, " X"], count: int) -> Float[np.ndarray, "C K"]:
    summed = np.zeros((count, counts.shape[1]))
    np.add.at(summed, chosen, counts)
    return summed


def smoothed_frequencies(counts: Float[np.ndarray, " K"], all_counts: Float[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """Frequencies of a class, all above 0, that sum to 2^16: what it counts, and a little of what all classes do."""
    share = (all_counts + 0.5) / (all_counts + 0.5).sum()
    # Many counts for one, so that the shares of what was not seen here are not rounded away.
    return FrequencyTable.of_counts(np.round(256 * (counts + TRUST * share)).astype(np.int64) + 1, BITS).frequencies
