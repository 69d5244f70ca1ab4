"""From an instance to its latent vector, in a few steps that training can look through (CAVIA, Zintgraf et al. 2019).

phi <- phi - rate * gradient of the error at phi          (mNIF, algorithm 1, line 7)
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.mixture.field import MixtureFamily

Way = Literal["meta", "meta-first-order", "auto-decoding", "principal"]


@dataclass(frozen=True)
class AdaptationSettings:
    """Of a fit of images or voxels: their grid, and how instances get their latent vectors. The paper's are these."""

    side: int = 64
    """Cells along each axis of the grid."""
    adaptation: Way = "meta"
    """By a few steps from anew whenever an instance is met, which the shared part learns to make good: through second
    derivatives, or without. Or latent vectors are kept, and learn with the shared part (auto-decoding); principal: they
    start at the instances' principal components."""
    inner_steps: int = 3
    """Steps of gradient descent from anew, while the shared part learns."""
    inner_rate: float = 1.0
    """Rate of these steps."""
    stored_steps: int = 3
    """Inner steps that make the latent vectors that are stored."""
    refine: bool = False
    """Whether vectors that a few steps have made learn on, by the phases of stage 2, before they are stored."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.adaptation not in get_args(Way):
            raise ConfigError(f"adaptation {self.adaptation!r}: {', '.join(get_args(Way))}")
        if self.side < 4 or min(self.inner_steps, self.stored_steps) < 1:
            raise ConfigError("side: at least 4; inner_steps and stored_steps: at least 1")
        if self.inner_rate <= 0:
            raise ConfigError("inner_rate: above 0")

    @property
    def meta(self) -> bool:
        """Whether vectors come from a few steps from anew; else they are kept."""
        return self.adaptation in ("meta", "meta-first-order")


def errors(
    family: MixtureFamily, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N D"], values: Float[Tensor, "B N K"]
) -> Float[Tensor, " B"]:
    """Mean squared error of each instance."""
    return (family.values(latents, points) - values).square().mean((1, 2))


def adapted(
    family: MixtureFamily,
    latents: Float[Tensor, "B H"],
    points: Float[Tensor, "B N D"],
    values: Float[Tensor, "B N K"],
    *,
    steps: int,
    rate: float,
    second_order: bool,
) -> Float[Tensor, "B H"]:
    """Latent vectors after `steps` steps of gradient descent, each on the error of its own instance.

    With `second_order` they carry gradients of how the steps depend on the shared part; without, they carry none.
    """

    def total(vectors: Tensor) -> Tensor:
        return errors(family, vectors, points, values).sum()

    for _ in range(steps):
        slope = torch.func.grad(total)(latents)
        latents = latents - rate * (slope if second_order else slope.detach())
    return latents
