"""Codebooks whose indices nobody stores: a fixed hash of the corner's place gives them (Mueller et al. 2022).

What is stored is the codebook alone, 2 k 2^b bytes a level; it is learned together with the field, where corners that
share an entry have to agree on it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
STEP = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class HashedIndices:
    """Indices of `bits` bits for the corners of one level."""

    bits: int
    level: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 24:
            raise ValueError(f"hashed indices of {self.bits} bits: from 1 to 24")

    def index(self, morton: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """Index (int64) of each corner, by its Morton code; levels differ. The mixer is SplitMix64 (Steele 2014)."""
        codes = morton.cpu().numpy().astype(np.uint64)
        with np.errstate(over="ignore"):
            values = codes + np.uint64(STEP * (self.level + 1) % (1 << 64))
            for shift, factor in MIX:
                values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
            values ^= values >> np.uint64(31)
        return torch.from_numpy((values >> np.uint64(64 - self.bits)).astype(np.int64)).to(morton.device)

    def stored_bytes(self, features: int) -> int:
        """Bytes of the codebook, in float16."""
        return 2 * features << self.bits
