"""`compress --codec transform` of fused planes: one decoder and one set of tables for all objects of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from manyfields.collection import Collection
from manyfields.collection.objects import TRANSFORM_MICRO
from manyfields.compression.base_planes import code_shared
from manyfields.compression.latent_pyramid import LEVELS, most_levels
from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.latents.fitter import learn_codec
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import set_coded

LEARN_FROM = 48  # objects that the codec learns from, at most


class SetWaves(Waves):
    """The codec is learned and published before the first wave."""

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        if self.target is None:
            codec = self._learn()
            self.target = self.publish((codec.tensors(), {**codec.config(), "codec": TRANSFORM_MICRO}))
        assert self.record is not None
        codes = Codes.concatenate([code for code in self.codes_of(ids) if isinstance(code, Codes)])
        return set_coded(self.target, self.items(ids), codes, self.record, self.shape, self.progress)

    def shared_part(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """That of the source with base planes in 8 bits, to which latents are fitted."""
        return code_shared(*super().shared_part())

    def _learn(self) -> TransformMicroCodec:
        record, source = self.record, self.source
        assert record is not None
        settings, seed = SetSettings(**self.shape["set"]), self.shape["seed"]
        rows = np.unique(np.linspace(0, len(source) - 1, min(LEARN_FROM, len(source))).round().astype(int))
        ids = [source.ids[row] for row in rows]
        codes = Codes.concatenate([code for code in self.codes_of(ids) if isinstance(code, Codes)])
        sampler, items = record.settings.sampler.at(1.0), self.items(ids)
        losses = [
            PlaneLoss(source.shared_part, item, codes[row], sampler, rays=settings.rays, seed=seed)
            for row, item in enumerate(items)
        ]
        total = settings.visits * len(ids)

        def told(done: int, found: dict[str, float]) -> None:
            self.progress(f"learning a codec from {len(ids)} objects", done, total, **found)

        family = source.shared_part.family.config
        return learn_codec(losses, codes, family, settings, seed=seed, after_step=told)


def set_shape(source: Collection, settings: SetSettings, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what does not fit the run."""
    config = source.shared_part.family.config
    if not isinstance(config, FusedPlanesConfig) or not config.micro_features:
        raise ConfigError(f"{source.path}: its family has no micro planes, which codec 'transform' is for")
    if source.shared_part.autoencoder is not None:
        raise ConfigError(f"{source.path}: its fields are in a latent space; codec 'vq' takes them")
    if (most := most_levels(config.resolution)) < LEVELS[0]:
        raise ConfigError(f"{source.path}: planes of {config.resolution} samples a side are too small for 'transform'")
    settings = replace(settings, levels=min(settings.levels, most))
    return {"seed": seed, "steps": settings.steps, "set": asdict(settings)}


def set_settings(price: float | None, steps: int | None, changes: Mapping[str, Any]) -> SetSettings:
    """Settings with what differs from the defaults. Raises ConfigError for what is not known."""
    named = {"price": price, "steps": steps, **changes}
    try:
        return replace(SetSettings(), **{name: value for name, value in named.items() if value is not None})
    except TypeError as error:
        raise ConfigError(f"transform {dict(changes)}: {error}") from error
