"""Codebooks, kept texels, vectors and network of a compressed scene, fitted to its views together.

    numbers ─► planes, by fixed indices ─► render ─► error of pixels ─► gradients to all numbers

The third stage of VQ-TensoRF (Li et al. 2023): an entry of a codebook gets the gradients of all texels that have it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from manyfields.errors import RunError
from manyfields.families.tensor_planes.baselines.vq_planes import VqScene
from manyfields.fitting.scene_learning import BETAS
from manyfields.fitting.scene_loss import SceneLoss

STEPS_BETWEEN_CHECKS = 16


@dataclass(frozen=True)
class FineTuning:
    """How long and how fast. Rates decay exponentially to a tenth."""

    steps: int = 1000
    rate: float = 0.005
    network_rate: float = 0.0005


def fine_tune(
    loss: SceneLoss,
    scene: VqScene,
    settings: FineTuning,
    *,
    purpose: str = "fine-tune",
    after_step: Callable[[int, float], None] | None = None,
) -> VqScene:
    """A scene that renders the training views better, with the same indices; the network of `loss` learns with it.

    Raises RunError where numbers diverge.
    """
    network = list(loss.shared.family.parameters())
    numbers = [number.detach().clone().requires_grad_() for number in scene.numbers]
    for parameter in network:
        parameter.requires_grad_()
    rates = [settings.rate, settings.network_rate]
    groups = [{"params": own, "lr": rate} for own, rate in zip((numbers, network), rates, strict=True)]
    optimizer = torch.optim.Adam(groups, betas=BETAS, fused=True)
    for step in range(settings.steps):
        error = loss(scene.with_numbers(numbers).grids(), purpose, step)
        error.backward()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.1 ** (step / settings.steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % STEPS_BETWEEN_CHECKS == 0 and not all(bool(n.detach().isfinite().all()) for n in (error, *numbers)):
            raise RunError(f"object {loss.id}: its compressed planes diverged at step {step}; take fewer steps")
        if after_step is not None:
            after_step(step + 1, error.item())
    loss.shared.requires_grad_(False)
    return scene.with_numbers([number.detach() for number in numbers])
