"""Where latent vectors of many instances start: at the instances' own principal components.

Kept vectors learn only when their instance is drawn, which among thousands is seldom, and the networks learn nothing
from vectors that mean nothing yet. Coordinates of the best linear space mean something from the first step on.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

LEARNED_FROM = 4096  # instances, at most; the others are projected
NUMBERS = 1 << 29  # of them, at most
AT_ONCE = 256


def principal_coordinates(
    values: UInt8[Tensor, "I *numbers"] | Float[Tensor, "I *numbers"], count: int, generator: torch.Generator
) -> Float[Tensor, "I _"]:
    """The first `count` coordinates of instances, by falling variance, with a mean square of 1 over all.

    0 where instances have not so many directions. Components are of `LEARNED_FROM` instances, which `generator` draws.
    """
    flat = values.flatten(1)
    taken = torch.randperm(len(flat), generator=generator)[: max(2, min(LEARNED_FROM, NUMBERS // flat.shape[1]))]
    some = flat[taken.to(flat.device)].float()
    middle = some.mean(0)
    some -= middle
    squares, directions = torch.linalg.eigh((some @ some.T).double())
    most = squares[-1].clamp(min=1e-12)
    kept = [row for row in range(len(squares) - 1, -1, -1) if squares[row] > 1e-7 * most][:count]
    axes = some.T @ (directions[:, kept] / squares[kept].sqrt()).float()
    found = torch.zeros(len(flat), count, device=flat.device)
    for part in torch.arange(len(flat), device=flat.device).split(AT_ONCE):
        found[part, : len(kept)] = (flat[part].float() - middle) @ axes
    return found / found.square().mean().sqrt().clamp(min=1e-12)
