"""What latents would cost, as a slope that learning can follow: from the very tables that code them.

Between whole numbers a latent costs what the two nearest ones do, in proportion. With noise of half a unit to either
side, as it stands for rounding in learned compression (Balle et al. 2017), the slope of the expected cost at y is
cost(y + 1/2) - cost(y - 1/2): no noise has to be drawn for it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compression.context_classes import BITS
from manyfields.compression.latent_contexts import RANGES, Levels, Masks, PyramidTables, ranges_of

STEEPEST = 8.0  # bits a unit: tables of few counts are rough at their ends
FINENESS = 16  # slopes of each unit


@dataclass(frozen=True, eq=False)
class LatentPrices:
    """Of one codec's tables: `costs` (C, K) in bits, and `slopes` (C, n) on a grid of 16 a unit from -reach on."""

    tables: PyramidTables
    costs: Float[Tensor, "C K"]
    slopes: Float[Tensor, "C n"]

    @staticmethod
    def of(tables: PyramidTables) -> "LatentPrices":
        costs = BITS - np.log2(tables.frequencies)
        whole, reach = np.arange(-tables.reach, tables.reach + 1), tables.reach
        places = np.arange(-reach * FINENESS, reach * FINENESS + 1) / FINENESS
        slopes = [np.interp(places + 0.5, whole, row) - np.interp(places - 0.5, whole, row) for row in costs]
        limited = np.clip(np.stack(slopes), -STEEPEST, STEEPEST)
        return LatentPrices(tables, torch.from_numpy(costs).float(), torch.from_numpy(limited).float())

    def classes(self, latents: Levels, masks: Masks) -> list[Int[Tensor, "_m Z"]]:
        """The class of every latent of all levels, with the latents around it as they are now."""
        found = []
        for level, (own, here) in enumerate(zip(latents, masks, strict=True)):
            flat = self.tables.classes[level].reshape(-1, RANGES * RANGES)
            found.append(torch.from_numpy(flat[np.arange(len(flat)), ranges_of(own)[here]]))
        return found

    def slope(self, latents: Float[Tensor, "m Z"], classes: Int[Tensor, "m Z"]) -> Float[Tensor, "m Z"]:
        """Bits that a unit more of each latent would cost."""
        width = self.slopes.shape[1]
        places = (latents.detach() * FINENESS).round_().add_(width // 2).clamp_(0, width - 1).long()
        return self.slopes.view(-1)[classes * width + places]

    def bits(self, latents: Int[Tensor, "m Z"], classes: Int[Tensor, "m Z"]) -> float:
        """What whole latents take."""
        return float(self.costs[classes, latents + self.tables.reach].sum())
