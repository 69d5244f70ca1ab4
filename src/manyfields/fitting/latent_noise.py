"""Latents as a step sees them: with noise or rounded, and those that a drawn mask leaves out at 0."""

import torch
from jaxtyping import Float
from torch import Tensor

OPEN = 2.0  # log-odds of a latent to be kept, at the start


def seen_latents(
    latents: Float[Tensor, "Z *sides"],
    odds: Float[Tensor, "*sides"] | None,
    temperature: float,
    rounded: bool,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "Z *sides"], Float[Tensor, "Z *sides"], Float[Tensor, "*sides"] | None]:
    """With uniform noise, by which bits are counted; as decoders see them; and the mask, None without `odds`."""
    noisy = latents + torch.rand(latents.shape, generator=generator) - 0.5
    seen = latents + (latents.round() - latents).detach() if rounded else noisy
    if odds is None:
        return noisy, seen, None
    kept = drawn_mask(odds, temperature, generator)
    return noisy, seen * kept, kept


def drawn_mask(
    odds: Float[Tensor, "*sides"], temperature: float, generator: torch.Generator
) -> Float[Tensor, "*sides"]:
    """Zeros and ones, drawn by their log-odds; gradients are those of the softmax at `temperature` (equation 8).

    The difference of two Gumbel variables is logistic.
    """
    uniform = torch.rand(odds.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    raised = odds + uniform.log() - (-uniform).log1p()
    soft = torch.sigmoid(raised / temperature)
    return (raised.detach() > 0).float() + (soft - soft.detach())


def masks_of(odds: list[Tensor], masked: bool) -> list[Tensor]:
    """What is kept in the end, as booleans: everything where masks do not learn."""
    return [own.detach() > 0 if masked else torch.ones_like(own, dtype=torch.bool) for own in odds]


@torch.no_grad()
def whole_latents(latents: list[Tensor], masks: list[Tensor], largest: int) -> list[Tensor]:
    """Latents to store, as whole numbers up to `largest`: 0 where the mask is."""
    pairs = zip(latents, masks, strict=True)
    return [own.detach().round().clamp(-largest, largest).long() * mask for own, mask in pairs]
