"""Micro planes that render well *as they are stored*: indices of a codec's frozen codebooks, fitted to training views.

    learned numbers ── nearest and cheap entries ──► planes as stored ── render ──► error of pixels
           ▲                                                                            │
           └───────────────── gradients go straight through to the numbers ◄────────────┘

The nearest entries of an object's own planes (no steps) serve all texels alike. Here each texel may move to another
entry where that serves the views better, and errors of one texel are made good by its neighbours. A price on bits,
those of the codec's own tables, moves texels to what costs little, those first that views care little about: that is
told by how large their gradients are. Straight-through gradients are those of VQ-VAE (van den Oord et al. 2017),
entries chosen by distance and bits those of entropy-constrained quantisation (Chou et al. 1989).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import RunError
from manyfields.families.fused_planes.codebooks.layers import VqMicroLayers
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

STEPS_BETWEEN_COSTS = 10  # what bits cost follows the neighbours' indices, which change slowly
MEMORY = 0.95  # of how large gradients are
LEAST_CARE = 0.1  # of the mean over texels: how little a texel may count


@dataclass(frozen=True)
class Distillation:
    """How planes are fitted. `rate` and `price` are in units of the object's gain."""

    steps: int = 300
    rays: int = 2048
    rate: float = 0.03
    price: float = 0.015
    """Half the squared distance that a bit less is worth."""


def distil(
    shared: SharedPart,
    codec: VqMicroLayers,
    item: FittingObject,
    codes: Codes,
    sampler: Sampler,
    settings: Distillation,
    *,
    seed: int = 0,
    after_step: Callable[[int, float], None] | None = None,
) -> Codes:
    """The code of one object (B = 1) with micro planes that the codec's codebooks hold exactly, given its old gain.

    Encode the result with `codec.gains(codes)`, the gains before. Families in RGB space only (ValueError otherwise).
    Raises RunError where numbers diverge.
    """
    loss = PlaneLoss(shared, item, codes, sampler, rays=settings.rays, seed=seed)
    micro, mask, gain = loss.micro, loss.texels, codec.gains(codes)
    numbers = (micro[mask] / gain).requires_grad_()
    optimizer = torch.optim.Adam([numbers], lr=settings.rate, betas=(0.9, 0.99))

    def entries(costs: list[Tensor] | None) -> tuple[Tensor, Tensor]:
        if costs is None:
            priced = None
        else:
            care = (squares / squares.mean().clamp(min=1e-30)).clamp(min=LEAST_CARE)
            priced = [settings.price * cost / care[:, None] for cost in costs]
        indices = codec.codebooks.indices(numbers, priced)
        return indices, codec.codebooks.features(indices)

    squares = torch.zeros(len(numbers))  # mean squared gradients of each texel
    indices, stored = entries(None)
    costs: list[Tensor] | None = None
    for step in range(settings.steps):
        if settings.price and step and step % STEPS_BETWEEN_COSTS == 0:
            costs = codec.costs(indices, mask)
        indices, stored = entries(costs)
        planes = _filled(micro, mask, stored * gain)
        learned = planes.clone().requires_grad_()
        error = loss(learned, "distil", step)
        error.backward()
        assert learned.grad is not None
        numbers.grad = learned.grad[mask] * gain
        if not bool(torch.isfinite(numbers.grad).all()):
            raise RunError(f"object {item.id}: its micro planes diverged at step {step}; compress with fewer steps")
        squares.lerp_(numbers.grad.square().mean(1), 1.0 - MEMORY)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (1.0 - step / settings.steps)
        optimizer.step()
        if after_step is not None:
            after_step(step + 1, error.item())
    _, stored = entries(costs)
    return Codes({**codes.tensors, "micro": _filled(micro, mask, stored * gain)[None]})


def _filled(micro: Float[Tensor, "3 H W F"], mask: Tensor, texels: Float[Tensor, "m F"]) -> Float[Tensor, "3 H W F"]:
    planes = torch.zeros_like(micro)
    planes[mask] = texels
    return planes
