"""Transform coding of a set: a pyramid and tables learned from some objects, then the latents of every object.

    loss of an object = its error / its error before + price * thousands of bytes

Errors are those of pixels, rendered through the shared part with the planes as they are stored. Every object counts by
what its error was before, so that a price means the same loss in PSNR for all of them. Tables are counts of the latents
as they are, again and again while a pyramid learns: what latents cost is what they would take in the file.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from manyfields.compression.latent_contexts import LARGEST_REACH, Levels, PyramidTables
from manyfields.compression.latent_prices import LatentPrices
from manyfields.compression.latent_pyramid import bilinear_kernel, nearest_latents
from manyfields.errors import ConfigError, RunError
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers
from manyfields.families.fused_planes.latents.learning import BETAS, LatentCode, Pyramid
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.data import stable_seed

LEAST_REACH = 16  # of latents: few objects do not say how large those of others are

BITS_OF_THOUSAND_BYTES = 8000.0
VISITS_BETWEEN_TABLES = 10

AfterStep = Callable[[int, dict[str, float]], None]


def learn_codec(
    losses: Sequence[PlaneLoss],
    codes: Codes,
    family,
    settings: SetSettings,
    *,
    seed: int = 0,
    after_step: AfterStep | None = None,
) -> TransformMicroLayers:
    """The codec of a set, from some of its objects with their codes (B). ConfigError where none has a texel."""
    features = codes.tensors["micro"].shape[-1]
    texels = torch.cat([loss.micro[loss.texels] for loss in losses])
    if not len(texels):
        raise ConfigError("none of the objects has a texel to learn a codec from")
    axes = torch.linalg.svd(texels.T @ texels / len(texels))[2]
    pyramid = Pyramid([axes] * settings.levels, [bilinear_kernel(features)] * (settings.levels - 1))
    optimizer = torch.optim.Adam(pyramid.parameters(), lr=settings.pyramid_rate, betas=BETAS)
    mixes, kernels = list(pyramid.mixes), list(pyramid.kernels)
    own = [LatentCode(nearest_latents(loss.micro, loss.texels, mixes, kernels), loss.texels) for loss in losses]
    total, done = settings.visits * len(losses), 0
    for visit in range(settings.visits):
        if visit % VISITS_BETWEEN_TABLES == 0:
            prices = LatentPrices.of(_tables(own))
        order = torch.randperm(len(losses), generator=torch.Generator().manual_seed(stable_seed(seed, "visit", visit)))
        for row in order.tolist():
            decay = settings.decay(done, total)
            found = _step(losses[row], own[row], pyramid, prices, settings, done, decay)
            for group in optimizer.param_groups:
                group["lr"] = settings.pyramid_rate * decay
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            done += 1
            if after_step is not None:
                after_step(done, found)
    return TransformMicroLayers.of_codes(codes, family.layers, family.code_shapes(), pyramid.whole(), _tables(own))


def fit_latents(
    loss: PlaneLoss,
    codec: TransformMicroLayers,
    code: Codes,
    settings: SetSettings,
    after_step: AfterStep | None = None,
) -> Levels:
    """The latents of one object (B = 1) against a codec that stays as it is."""
    own = LatentCode([torch.from_numpy(level) for level in codec.nearest(code)], loss.texels)
    pyramid, prices = Pyramid.of(codec.pyramid), LatentPrices.of(codec.tables)
    for step in range(settings.steps):
        found = _step(loss, own, pyramid, prices, settings, step, settings.decay(step, settings.steps))
        if after_step is not None:
            after_step(step + 1, found)
    return own.whole(codec.tables.reach)


def _step(
    loss: PlaneLoss,
    own: LatentCode,
    pyramid: Pyramid,
    prices: LatentPrices,
    settings: SetSettings,
    step: int,
    decay: float,
) -> dict[str, float]:
    coarse = settings.coarse_every > 0 and step % settings.coarse_every == 0
    share = loss(own.planes(pyramid, coarse), "latents", step) / loss.before
    # The first levels alone leave a larger error, by far: as a share of itself it weighs as much as that of all levels.
    (share / share.detach() if coarse else share).backward()
    if not (bool(torch.isfinite(share)) and own.has_finite_gradients):
        raise RunError(f"object {loss.id}: transform coding diverged at step {step}; use a lower lambda")
    own.add_prices(prices, settings.price / BITS_OF_THOUSAND_BYTES)
    own.move(settings.rate * decay)
    return {"coarse" if coarse else "error": share.item()}


def _tables(codes: Sequence[LatentCode]) -> PyramidTables:
    whole = [code.whole(LARGEST_REACH) for code in codes]
    # Objects to come may have larger latents than these.
    largest = max(int(np.abs(level).max(initial=1)) for levels in whole for level in levels)
    reach = min(LARGEST_REACH, max(LEAST_REACH, 2 * largest))
    pairs = [(levels, [here.numpy() for here in code.masks]) for levels, code in zip(whole, codes, strict=True)]
    return PyramidTables.learn(pairs, reach)
