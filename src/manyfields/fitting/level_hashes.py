"""Features of corners that a fixed hash reads from one small codebook a level: to compare learned indices with."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.hashing import HashedIndices
from manyfields.fields.octree import Octree
from manyfields.fitting.octree_learning import BETAS, START, OctreeCode


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
