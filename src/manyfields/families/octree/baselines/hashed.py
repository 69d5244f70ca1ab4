"""Features of corners that a fixed hash reads from one small codebook a level: to compare learned indices with.

What is stored is the codebook alone, 2 k 2^b bytes a level; it is learned together with the field, where corners that
share an entry have to agree on it (Mueller et al. 2022).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.families.octree.learning import BETAS, START, OctreeCode
from manyfields.families.octree.tree import Octree


class LevelHashes:
    """A codebook of 2^bits entries, learned with Adam; the index of a corner follows from its place (Instant-NGP)."""

    def __init__(self, shown: Float[Tensor, "m F"], indices: Tensor, bits: int, generator: torch.Generator) -> None:
        self.shown, self.indices = shown, indices
        self.codebook = START * torch.randn(2**bits, shown.shape[1], generator=generator)
        self.first, self.second = torch.zeros_like(self.codebook), torch.zeros_like(self.codebook)
        self.steps = torch.zeros(())
        self.show()

    def update(self, gradient: Float[Tensor, "m F"], rate: float) -> None:
        learned = torch.zeros_like(self.codebook).index_add_(0, self.indices, gradient)
        self.steps += 1
        self.first.lerp_(learned, 1.0 - BETAS[0])
        self.second.lerp_(learned.square(), 1.0 - BETAS[1])
        size = rate * float((1.0 - BETAS[1] ** float(self.steps)) ** 0.5 / (1.0 - BETAS[0] ** float(self.steps)))
        self.codebook -= size * self.first / self.second.sqrt().clamp(min=1e-15)
        self.show()

    def state(self) -> dict[str, Tensor]:
        return {"codebook": self.codebook, "first": self.first, "second": self.second, "steps": self.steps}

    def show(self) -> None:
        torch.index_select(self.codebook, 0, self.indices, out=self.shown)


def hashed_code(tree: Octree, features: int, bits: int, generator: torch.Generator) -> OctreeCode:
    """A code whose levels all have hashed codebooks."""
    code = OctreeCode(tree, features)
    places = zip(tree.levels, tree.corners, code.parts, strict=True)
    code.levels = [
        LevelHashes(part, HashedIndices(bits, level).index(at), bits, generator) for level, at, part in places
    ]
    return code


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
