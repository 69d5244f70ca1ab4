"""What learns of a hyperprior: hyper-latents, which of them are kept, their density, and the decoder to classes.

    hyper-latents ── noise, mask ──► decoder ──► classes ──► widths ──► bits of latents
                          └── density ──► bits of hyper-latents

Hyper-latents are learned directly, without an encoder (Neural NeRF Compression 2024, A.2.2).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.compression.transform.decoder import TransformDecoder
from manyfields.compression.transform.density import FactorisedDensity
from manyfields.compression.transform.hyperprior import CLASSES, CodedHyper, hyper_sizes
from manyfields.compression.transform.latents import LARGEST, kept_latents
from manyfields.fitting.transform.latents import OPEN, masks_of, seen_latents, tables_of_density, whole_latents
from manyfields.fitting.transform.settings import TransformSettings

NARROWEST, WIDEST = 0.06, 32.0  # scales of logistic distributions: what the classes stand for, in equal ratios
START = 4.0  # class of all latents before anything is learned: a scale of a third
LEAK = 0.1  # share of gradients that classes beyond the last one get, so that they may come back


class HyperModel(nn.Module):
    """Of latents (Z, h, w) of three planes, whose sizes (h, w) are given."""

    def __init__(
        self, sizes: Sequence[tuple[int, int]], settings: TransformSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes, self.masked = list(sizes), settings.mask
        channels, hidden = settings.hyper_latent, settings.hyper_hidden
        sides = hyper_sizes(sizes)
        self.own = nn.ParameterList([torch.zeros(channels, *side) for side in sides])
        self.odds = nn.ParameterList([torch.full(side, OPEN) for side in sides])
        self.density = FactorisedDensity(channels)
        self.decoder = TransformDecoder(channels, hidden, settings.latent, settings.decoder_bits, generator)
        with torch.no_grad():
            self.decoder.second_bias.fill_(START)

    def forward(
        self, plane: int, temperature: float, rounded: bool, generator: torch.Generator
    ) -> tuple[Float[Tensor, "Z h w"], Float[Tensor, ""]]:
        """Classes of the latents of one plane, and the bits of its hyper-latents."""
        odds = self.odds[plane] if self.masked else None
        noisy, seen, kept = seen_latents(self.own[plane], odds, temperature, rounded, generator)
        cost = self.density.bits(noisy.flatten(1)).sum(0)
        if kept is not None:
            cost = cost * kept.flatten()
        classes = bounded(self.decoder(seen, self.sizes[plane]))
        return classes + (classes.round() - classes).detach() if rounded else classes, cost.sum()

    @torch.no_grad()
    def coded(self) -> CodedHyper:
        """The hyperprior to store."""
        masks = masks_of(list(self.odds), self.masked)
        latents = whole_latents(list(self.own), masks, LARGEST)
        tables = tables_of_density(self.density, kept_latents(latents, masks))
        return CodedHyper(self.decoder.whole(), tuple(masks), tuple(latents), tables)


def bounded(classes: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Classes within those there are."""
    inside = classes.clamp(0, CLASSES - 1)
    beyond = LEAK * (classes - inside)
    return inside + (beyond - beyond.detach())


def class_bits(values: Float[Tensor, "*shape"], classes: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """-log2 of the mass within 1/2 of values, in logistic distributions around 0 of the widths of classes.

    With the sigmoid s: s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), whose logarithm has its digits however far off
    a value lies.
    """
    inverse = torch.exp(-math.log(NARROWEST) - math.log(WIDEST / NARROWEST) / (CLASSES - 1) * classes)
    far = values.abs()
    logarithm = functional.logsigmoid((0.5 - far) * inverse) + functional.logsigmoid((0.5 + far) * inverse)
    return -(logarithm + torch.log(-torch.expm1(-inverse))) / math.log(2)
