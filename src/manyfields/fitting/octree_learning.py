"""What a fit learns of one octree object: features at corners, with their Adam moments.

    table (M, F) ──► field ──► loss ──► gradient of the table ──► update
         ▲                                                         │
         └──── features themselves, or codebook[argmax logits] ◄───┘

The other kind are indices into codebooks (`index_code.py`). Both show a table of all corners, which a field reads, and
learn from its gradient.
"""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam

from manyfields.fields.octree import Octree

BETAS = (0.9, 0.99)
START = 0.01  # standard deviation of features, logits and codebooks at the start, as in the paper
FINER_RATE = 0.25  # of the rate of features a level has, of that of the next coarser one


class OctreeCode(Protocol):
    """What learns of one object."""

    tree: Octree
    table: Float[Tensor, "M F"]
    """Features of all corners as they are seen, level after level; a step leaves its gradient here."""

    def update(self, rate: float) -> None:
        """One step of Adam from the gradient of `table`, which is then forgotten."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        ...

    def load(self, state: dict[str, Tensor]) -> None: ...


class FeatureCode:
    """Features that are what they are: 16 numbers a corner.

    Finer levels learn more slowly: few samples touch each of their corners, and Adam would move a corner as far for one
    of them as for many.
    """

    def __init__(self, tree: Octree, features: int, generator: torch.Generator) -> None:
        self.tree = tree
        self.table = START * torch.randn(sum(tree.corner_counts), features, generator=generator)
        self.table.requires_grad_()
        self.first, self.second = torch.zeros_like(self.table), torch.zeros_like(self.table)
        self.steps = torch.zeros(len(tree.corner_counts))

    @torch.no_grad()
    def update(self, rate: float) -> None:
        gradient, self.table.grad = self.table.grad, None
        if gradient is None:
            return
        counts = self.tree.corner_counts
        parts = (part.split(counts) for part in (self.table.detach(), gradient, self.first, self.second))
        for level, (table, given, first, second) in enumerate(zip(*parts, strict=True)):
            adam(
                [table],
                [given],
                [first],
                [second],
                [],
                [self.steps[level]],
                fused=True,
                foreach=False,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate * FINER_RATE**level,
                weight_decay=0.0,
                eps=1e-15,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        return {"table": self.table.detach(), "first": self.first, "second": self.second, "steps": self.steps}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
