"""The error of rays through mixtures, a few rays at a time, so that what their samples become stays in caches.

    networks of B objects ──► detached ──► part of the rays ──► error, and its gradient at the networks ──► summed
                                 ▲                                                                   │
                                 └───────────────────────── next part ◄──────────────────────────────┘

A sample is some hundred numbers in every layer, forth and back; those of all rays of a step are written to memory and
read again, which takes longer than to compute them. The basis networks get their gradients once, from the sums.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import Field

SAMPLES_AT_ONCE = 16_384  # of all objects together: a layer of them is 2 MB in halves
FieldOf = Callable[[list[Tensor]], Field]


def error_in_parts(
    field_of: FieldOf, networks: list[Float[Tensor, "B _"]], rays: tuple[Tensor, ...], background: Float[Tensor, " C"]
) -> Float[Tensor, ""]:
    """`Field.march_error` of the field of some networks, with gradients to these alone.

    `rays`: origins, directions, distances, lengths, colours and scales, each (B, R, ...).
    """
    return _ErrorInParts.apply(field_of, rays, background.detach(), *networks)


class _ErrorInParts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, field_of: FieldOf, rays: tuple[Tensor, ...], background: Tensor, *networks: Tensor
    ) -> Float[Tensor, ""]:
        objects, _, samples = rays[2].shape
        # Of full precision whatever the networks are: the gradients of many parts are summed.
        leaves = [layer.detach().to(background.dtype).requires_grad_() for layer in networks]
        total = background.new_zeros(())
        parts = [tensor.split(max(1, SAMPLES_AT_ONCE // (objects * samples)), 1) for tensor in rays]
        for origins, directions, distances, lengths, colors, scales in zip(*parts, strict=True):
            with torch.enable_grad():
                channels, opacity, _ = field_of(leaves).plain_march(origins, directions, distances, lengths)
                seen = channels + (1.0 - opacity).unsqueeze(-1) * background
                error = (scales.unsqueeze(-1) * (seen - colors).square()).sum()
            error.backward()
            total += error.detach()
        ctx.save_for_backward(*(leaf.grad for leaf in leaves))
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return None, None, None, *(gradient * saved for saved in ctx.saved_tensors)
