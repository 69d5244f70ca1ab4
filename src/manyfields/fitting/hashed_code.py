"""Features of corners that a fixed hash reads from one small codebook a level: to compare learned indices with."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.hashing import HashedIndices
from manyfields.fields.octree import Octree
from manyfields.fitting.octree_learning import BETAS, START


class HashedCode:
    """Codebooks of 2^bits entries, learned with Adam; the index of a corner follows from its place (Instant-NGP)."""

    def __init__(self, tree: Octree, features: int, bits: int, generator: torch.Generator) -> None:
        self.tree, self.bits = tree, bits
        self.indices = [
            HashedIndices(bits, level).index(codes) for level, codes in zip(tree.levels, tree.corners, strict=True)
        ]
        self.codebooks = START * torch.randn(len(self.indices), 2**bits, features, generator=generator)
        self.first, self.second = torch.zeros_like(self.codebooks), torch.zeros_like(self.codebooks)
        self.steps = torch.zeros(())
        self.table: Float[Tensor, "M F"] = self._shown().requires_grad_()

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """One step of Adam from the gradient of `table`, which is then forgotten."""
        gradient, self.table.grad = self.table.grad, None
        if gradient is None:
            return
        learned = torch.zeros_like(self.codebooks)
        for book, indices, part in zip(learned, self.indices, gradient.split(self.tree.corner_counts), strict=True):
            book.index_add_(0, indices, part)
        self.steps += 1
        self.first.lerp_(learned, 1.0 - BETAS[0])
        self.second.lerp_(learned.square(), 1.0 - BETAS[1])
        size = rate * float((1.0 - BETAS[1] ** float(self.steps)) ** 0.5 / (1.0 - BETAS[0] ** float(self.steps)))
        self.codebooks -= size * self.first / self.second.sqrt().clamp(min=1e-15)
        self.table.detach().copy_(self._shown())

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        return {"codebooks": self.codebooks, "first": self.first, "second": self.second, "steps": self.steps}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self.table.detach().copy_(self._shown())

    def stored_bytes(self) -> int:
        """Bytes of the codebooks in float16; indices take none."""
        return 2 * self.codebooks.numel()

    def _shown(self) -> Tensor:
        return torch.cat([book[indices] for book, indices in zip(self.codebooks, self.indices, strict=True)])
