"""What learns in transform coding of a scene: latents of its planes, which of them are kept, density and decoder.

             noise, then rounding             mask
latents ──────────────────────────► values ──────────► decoder ──► planes
                                      └── density ──► bits
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.compression.transform.decoder import FrozenDecoder, TransformDecoder, WholeDecoder, latent_side
from manyfields.compression.transform.density import FactorisedDensity
from manyfields.compression.transform.latents import LARGEST
from manyfields.fitting.transform.hyperprior import HyperModel, class_bits
from manyfields.fitting.transform.latents import OPEN, masks_of, seen_latents, whole_latents
from manyfields.fitting.transform.settings import TransformSettings


class TransformModel(nn.Module):
    """Of the planes (C, H, W) of one scene, or of volumes (C, D, H, W), which may have fewer channels than others."""

    def __init__(self, planes: Sequence[Tensor], settings: TransformSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = [tuple(plane.shape[1:]) for plane in planes]
        self.masked = settings.mask
        sides = [tuple(latent_side(texels) for texels in size) for size in self.sizes]
        channels = max(len(plane) for plane in planes)
        drawn = [torch.randn(settings.latent, *side, generator=generator) for side in sides]
        scale = 1.0 if settings.start == "gaussian" else 0.0
        self.own = nn.ParameterList([scale * latents for latents in drawn])
        self.odds = nn.ParameterList([torch.full(side, OPEN) for side in sides])
        self.density = FactorisedDensity(settings.latent)
        decoder = TransformDecoder(
            settings.latent, settings.hidden, channels, settings.decoder_bits, generator, planes[0].ndim - 1
        )
        self.decoder: TransformDecoder | FrozenDecoder = decoder
        with torch.no_grad():  # the mean of each channel needs no latents
            for channel in range(channels):
                numbers = torch.cat([plane[channel].flatten() for plane in planes if channel < len(plane)])
                decoder.second_bias[channel] = numbers.mean()
        self.planes = list(planes)
        self.encoder = LatentEncoder(channels, settings, generator) if settings.encoder else None
        self.hyper = (
            HyperModel([(high, wide) for high, wide in sides], settings, generator) if settings.hyperprior else None
        )

    def take(self, latents: Sequence[Tensor], decoder: WholeDecoder, density: FactorisedDensity) -> None:
        """Go on from latents that an encoder has made, with a decoder and a density that stay as they are."""
        self.own = nn.ParameterList(list(latents))
        self.odds = nn.ParameterList([torch.where((own.round() != 0).any(0), OPEN, -OPEN) for own in latents])
        self.decoder, self.density = FrozenDecoder(decoder), copy.deepcopy(density).requires_grad_(False)

    def latents(self) -> list[Float[Tensor, "Z ..."]]:
        return list(self.own) if self.encoder is None else self.encoder(self.planes)

    def masks(self) -> list[Tensor]:
        """What is kept in the end (h, w), as booleans."""
        return masks_of(list(self.odds), self.masked)

    def forward(
        self, temperature: float, rounded: bool, generator: torch.Generator
    ) -> tuple[list[Float[Tensor, "C ..."]], Float[Tensor, ""]]:
        """The planes as a step sees them, and the bits of their latents."""
        planes, bits = [], []
        for number, (latents, odds, size) in enumerate(zip(self.latents(), self.odds, self.sizes, strict=True)):
            held = odds if self.masked else None
            noisy, seen, kept = seen_latents(latents, held, temperature, rounded, generator)
            if self.hyper is None:
                cost = self.density.bits(noisy.flatten(1)).sum(0)
            else:
                classes, hyper_bits = self.hyper(number, temperature, rounded, generator)
                cost = class_bits(noisy, classes).flatten(1).sum(0)
                bits.append(hyper_bits)
            planes.append(self.decoder(seen, size)[: len(self.planes[number])])
            bits.append((cost if kept is None else cost * kept.flatten()).sum())
        return planes, torch.stack(bits).sum()

    def whole_latents(self) -> list[Tensor]:
        """Latents to store, as whole numbers: 0 where the mask is."""
        return whole_latents(self.latents(), self.masks(), LARGEST)


class LatentEncoder(nn.Module):
    """Planes of some channels to latents by two convolutions: the paper's comparisons (figures 4 and 5)."""

    def __init__(self, channels: int, settings: TransformSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, settings.hidden, 3, 2, 1)
        self.second = nn.Conv2d(settings.hidden, settings.latent, 3, 2, 1)
        with torch.no_grad():
            for layer in (self.first, self.second):
                deviation = (9 * layer.in_channels) ** -0.5
                layer.weight.copy_(deviation * torch.randn(layer.weight.shape, generator=generator))
                if layer.bias is not None:
                    layer.bias.zero_()

    def forward(self, planes: Sequence[Float[Tensor, "C _ _"]]) -> list[Float[Tensor, "Z _ _"]]:
        # A decoder makes 4 h - 3 texels of h latents.
        padded = [functional.pad(plane, (0, 3, 0, 3)) for plane in planes]
        return [self.second(functional.selu(self.first(plane[None])))[0] for plane in padded]
