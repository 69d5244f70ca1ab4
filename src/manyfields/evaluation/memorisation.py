"""Whether a prior draws anew, or what it was trained on: distances from samples to their nearest training objects.

They are read beside those of held-out objects, which nothing was trained on: a prior that copies has far smaller ones.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Memorisation:
    """`nearest` (N,): row of the training object that each sample is nearest to, `distances` (N,): how far it is;
    `held_out` (H,): likewise of objects that were not trained on."""

    nearest: Int[Tensor, " N"]
    distances: Float[Tensor, " N"]
    held_out: Float[Tensor, " H"]

    @property
    def ratio(self) -> float:
        """Median distance of samples over that of held-out objects; 1 where samples are as new as those."""
        return float(self.distances.median() / self.held_out.median())

    @property
    def copies(self) -> float:
        """Share of samples that are nearer to a training object than any held-out object is."""
        return float((self.distances < self.held_out.min()).double().mean())

    def quantiles(self) -> dict[str, tuple[float, ...]]:
        """Of both distances, at `QUANTILES`."""
        places = torch.tensor(QUANTILES, dtype=self.distances.dtype)
        both = {"samples": self.distances, "held_out": self.held_out}
        return {name: tuple(each.quantile(places).tolist()) for name, each in both.items()}


def memorisation(
    samples: Float[Tensor, "N F"], training: Float[Tensor, "T F"], held_out: Float[Tensor, "H F"]
) -> Memorisation:
    """Of descriptors of objects: any features in which a short distance means that two look alike."""
    to_training = torch.cdist(samples, training, compute_mode="donot_use_mm_for_euclid_dist")
    distances, nearest = to_training.min(1)
    others = torch.cdist(held_out, training, compute_mode="donot_use_mm_for_euclid_dist").amin(1)
    return Memorisation(nearest, distances, others)
