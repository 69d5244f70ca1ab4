"""Codebooks, kept texels, vectors and network of a vector-quantised scene, fitted to its views together.

    numbers ─► planes, by fixed indices ─► render ─► error of pixels ─► gradients to all numbers

The third stage of VQ-TensoRF (Li et al. 2023): an entry of a codebook gets the gradients of all texels that point to it.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch

from manyfields.compression.vq_planes import VqScene
from manyfields.errors import RunError
from manyfields.fields import TensorCodes, TensorFamily
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.tensor_learning import BETAS
from manyfields.latents import SharedPart
from manyfields.rendering import Sampler, color_error

STEPS_BETWEEN_CHECKS = 16


@dataclass(frozen=True)
class FineTuning:
    """How long and how fast. Rates decay exponentially to a tenth."""

    steps: int = 1000
    rays: int = 4096
    rate: float = 0.005
    network_rate: float = 0.0005
    half: bool = False
    """The network's products of matrices in bf16."""


def fine_tune(
    shared: SharedPart,
    scene: VqScene,
    item: FittingObject,
    sampler: Sampler,
    settings: FineTuning,
    *,
    seed: int = 0,
    after_step: Callable[[int, float], None] | None = None,
) -> tuple[TensorFamily, VqScene]:
    """A network and a scene that render the training views of `item` better, with the same indices.

    `shared` stays as it is. Raises RunError where numbers diverge.
    """
    shared = copy.deepcopy(shared).requires_grad_(False)
    network = list(shared.family.parameters())
    numbers = [number.detach().clone().requires_grad_() for number in scene.numbers]
    for parameter in network:
        parameter.requires_grad_()
    rates = [settings.rate, settings.network_rate]
    groups = [{"params": own, "lr": rate} for own, rate in zip((numbers, network), rates, strict=True)]
    optimizer = torch.optim.Adam(groups, betas=BETAS, fused=True)
    data = _data_of(item, scene)
    guide = shared.guide(TensorCodes((scene.grids(),)), data.bounds)
    row = torch.zeros(1, dtype=torch.int64)
    for step in range(settings.steps):
        generator = torch.Generator().manual_seed(stable_seed(seed, "fine-tune", item.id, step))
        rays, colors, weights = data.pool.draw(row, settings.rays, generator)
        codes = TensorCodes((scene.with_numbers(numbers).grids(),))
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.half):
            error = color_error(
                shared.family.field(codes),
                rays,
                colors,
                sampler,
                bounds=data.bounds,
                guide=guide,
                background=shared.background,
                weights=weights,
                generator=generator,
            )
        error.backward()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.1 ** (step / settings.steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % STEPS_BETWEEN_CHECKS == 0 and not all(bool(n.detach().isfinite().all()) for n in (error, *numbers)):
            raise RunError(f"object {item.id}: its codebooks diverged at step {step}; take fewer steps")
        if after_step is not None:
            after_step(step + 1, error.item())
    shared.requires_grad_(False)
    return shared.family, scene.with_numbers([number.detach() for number in numbers])


def _data_of(item: FittingObject, scene: VqScene) -> FittingData:
    """The training pixels, seen in the box that the scene's grids fill."""
    item.bounds = scene.box
    if scene.map is not None:
        item.hull, item.pixels = None, None  # silhouettes say nothing about a box of another space
    return FittingData([item])
