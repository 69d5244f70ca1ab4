"""What a fit learns of one octree object: a table of what all corners show, each level by a learner of its own.

    table (M, F) ──► field ──► loss ──► gradient of the table ──► update of each level
         ▲                                                         │
         └──── features themselves, or codebook[argmax logits] ◄───┘

A learner is of features (here), of indices into a codebook (`codebooks/indices.py`) or of a hashed codebook
(`baselines/hashed.py`). It writes what its corners show into its part of the table, and learns from the gradient there.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam

from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.tree import Octree

BETAS = (0.9, 0.99)
START = 0.01  # standard deviation of features, logits and codebooks at the start, as in the paper
FINER_RATE = 0.25  # of the rate of features a level has, of that of the next coarser one


class LevelLearner(Protocol):
    """What learns of the corners of one level."""

    def update(self, gradient: Float[Tensor, "m F"], rate: float) -> None:
        """One step of Adam from the gradient of what the corners show; then shows what has become of them."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, as tensors that `load` may copy into."""
        ...

    def show(self) -> None:
        """Write into the table what the state says."""
        ...


class OctreeCode:
    """Learners of an object's levels, and the table (M, F) that a field reads; a step leaves its gradient there."""

    def __init__(self, tree: Octree, features: int) -> None:
        self.tree = tree
        self.table: Float[Tensor, "M F"] = torch.zeros(sum(tree.corner_counts), features).requires_grad_()
        self.levels: list[LevelLearner] = []

    @staticmethod
    def of_features(
        tree: Octree, features: int, generator: torch.Generator, finer_rate: float = FINER_RATE
    ) -> "OctreeCode":
        """A code whose corners have features, random at first. `finer_rate`: of a level, to that of the coarser one."""
        code = OctreeCode(tree, features)
        code.levels = [LevelFeatures(part, finer_rate**level) for level, part in enumerate(code.parts)]
        for part in code.parts:
            part.copy_(START * torch.randn(part.shape, generator=generator))
        return code

    @staticmethod
    def of_codes(codes: OctreeCodes) -> "OctreeCode":
        """A code (B = 1) that goes on from features that were fitted."""
        code = OctreeCode.of_features(codes.trees[0], codes.features.shape[1], torch.Generator())
        code.table.detach().copy_(codes.features)
        return code

    @property
    def parts(self) -> Sequence[Float[Tensor, "_ F"]]:
        """What the corners of each level show: views of the table."""
        return self.table.detach().split(self.tree.corner_counts)

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """One step of every level from the gradient of `table`, which is then forgotten."""
        gradient, self.table.grad = self.table.grad, None
        if gradient is not None:
            for level, part in zip(self.levels, gradient.split(self.tree.corner_counts), strict=True):
                level.update(part, rate)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on: names of tensors begin with the number of their level."""
        return {
            f"{number}.{name}": held for number, each in enumerate(self.levels) for name, held in each.state().items()
        }

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Restore `state` of a code with the same kinds of learners."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        for level in self.levels:
            level.show()


class LevelFeatures:
    """Features that are what they are: 16 numbers a corner.

    Finer levels learn more slowly (`pace`): few samples touch each of their corners, and Adam would move a corner as
    far for one of them as for many.
    """

    def __init__(self, shown: Float[Tensor, "m F"], pace: float) -> None:
        self.shown, self.pace = shown, pace
        self.first, self.second, self.steps = torch.zeros_like(shown), torch.zeros_like(shown), torch.zeros(())

    def update(self, gradient: Float[Tensor, "m F"], rate: float) -> None:
        adam(
            [self.shown],
            [gradient],
            [self.first],
            [self.second],
            [],
            [self.steps],
            fused=True,
            foreach=False,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.pace * rate,
            weight_decay=0.0,
            eps=1e-15,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        return {"features": self.shown, "first": self.first, "second": self.second, "steps": self.steps}

    def show(self) -> None:
        """Features are the table's own."""
