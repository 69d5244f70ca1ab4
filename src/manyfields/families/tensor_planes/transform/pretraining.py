"""The loop in which a codec is learned from the planes of many scenes: encoder, decoder and density together.

    planes ── encoder ──► latents ── noise, then rounding ──► decoder ──► planes
                                            └── density ──► bits

    loss = error of planes + lambda * bits of a number

All scenes have planes of as many channels. No views are needed, and nothing is rendered.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from manyfields.compression.entropy import best_tables, symbol_counts
from manyfields.compression.transform.decoder import TransformDecoder
from manyfields.compression.transform.density import COUNTS, FactorisedDensity
from manyfields.compression.transform.latents import LARGEST, LatentTables, as_symbols, kept_latents
from manyfields.errors import ConfigError, RunError
from manyfields.families.tensor_planes.transform.learned import LearnedTransform, occupied
from manyfields.families.tensor_planes.transform.scene import CommonTransform
from manyfields.fitting.data import stable_seed
from manyfields.fitting.transform.latents import seen_latents
from manyfields.fitting.transform.model import LatentEncoder
from manyfields.fitting.transform.settings import TransformSettings

STEPS_BETWEEN_CHECKS = 16
BETAS = (0.9, 0.99)
BEYOND = 1.5  # times the range of latents that were seen: tables have so many whole numbers, for scenes unlike those
DENSITY_SHARE = 1 / 16  # of tables: what was not seen may come
LOUD = 1 << 20

Planes = Sequence[Float[Tensor, "C _ _"]]


def learn_transform(
    scenes: Sequence[Planes],
    settings: TransformSettings,
    seed: int = 0,
    after_step: Callable[[int, dict[str, float]], None] | None = None,
) -> LearnedTransform:
    """A codec for scenes like these. `scenes`: the planes XY, XZ, YZ of each.

    A step sees one of them. Raises ConfigError for scenes of different channels, RunError where numbers diverge.
    """
    channels = {len(plane) for planes in scenes for plane in planes}
    if len(channels) != 1:
        raise ConfigError(f"scenes with planes of {sorted(channels)} channels: a codec is learned from one kind")
    generator = torch.Generator().manual_seed(stable_seed(seed, "transform", "learn"))
    encoder = LatentEncoder(channels.pop(), settings, generator)
    decoder = TransformDecoder(
        settings.latent, settings.hidden, encoder.first.in_channels, settings.decoder_bits, generator
    )
    density = FactorisedDensity(settings.latent)
    networks: list[nn.Parameter] = [*encoder.parameters(), *decoder.parameters()]
    groups = [(networks, settings.network_rate), (list(density.parameters()), settings.entropy_rate)]
    optimizer = torch.optim.Adam([{"params": own, "lr": rate, "first": rate} for own, rate in groups], betas=BETAS)
    for step in range(settings.steps):
        draw = torch.Generator().manual_seed(stable_seed(seed, "transform", "learn", step))
        planes = scenes[int(torch.randint(len(scenes), (1,), generator=draw))]
        rounded = step >= round((1.0 - settings.rounded) * settings.steps)
        errors, bits = [], []
        for plane, latents in zip(planes, encoder(planes), strict=True):
            noisy, seen, _ = seen_latents(latents, None, 1.0, rounded, draw)
            errors.append((decoder(seen, (plane.shape[1], plane.shape[2])) - plane).square().sum())
            bits.append(density.bits(noisy.flatten(1)).sum())
        numbers = sum(plane.numel() for plane in planes)
        error, rate = torch.stack(errors).sum() / numbers, torch.stack(bits).sum() / numbers
        loss = error + settings.price * rate
        loss.backward()
        if step % STEPS_BETWEEN_CHECKS == 0 and not bool(torch.isfinite(loss)):
            raise RunError(f"learning a codec diverged at step {step}; use lower rates")
        for group in optimizer.param_groups:
            group["lr"] = group["first"] * settings.rate_factor(step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if after_step is not None:
            after_step(step + 1, {"planes": error.item(), "bits": rate.item()})
    return _as_stored(encoder, decoder, density, scenes)


@torch.no_grad()
def _as_stored(
    encoder: LatentEncoder, decoder: TransformDecoder, density: FactorisedDensity, scenes: Sequence[Planes]
) -> LearnedTransform:
    """Everything as files will give it back, with tables of what the encoder makes of the scenes."""
    encoder.half().float()
    kept = []
    for planes in scenes:
        latents = [own.round().clamp(-LARGEST, LARGEST).long() for own in encoder(planes)]
        kept.append(kept_latents(latents, occupied(latents)))
    common = CommonTransform(decoder.whole(), _tables(density, torch.cat(kept, 1)))
    return LearnedTransform(common, encoder.requires_grad_(False), density.requires_grad_(False))


def _tables(density: FactorisedDensity, kept: Int[Tensor, "Z n"]) -> LatentTables:
    some = torch.cat([kept, torch.zeros(len(kept), 1, dtype=torch.int64)], 1)
    low, high = ((BEYOND * end).round().clamp(-LARGEST, LARGEST).long() for end in (some.amin(1) - 1, some.amax(1) + 1))
    likely, lowest = density.counts(low, high)
    symbols, channels = as_symbols(kept, lowest)
    seen = torch.from_numpy(symbol_counts(symbols, likely.shape[1], channels, len(kept)))
    mixed = seen * LOUD // max(1, kept.shape[1]) + (likely * (DENSITY_SHARE * LOUD / COUNTS)).ceil().long()
    return LatentTables.of(best_tables(seen.numpy(), mixed.numpy()), lowest)
