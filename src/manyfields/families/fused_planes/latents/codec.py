"""Fused planes by transform coding, with one decoder and one set of tables for all objects: their codec `transform`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from manyfields.compression.base_planes import code_shared
from manyfields.compression.latent_pyramid import LEVELS, most_levels
from manyfields.errors import ConfigError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec, check_views
from manyfields.families.fused_planes.latents.fitter import fit_latents, learn_codec
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress, silent

LEARN_FROM = 48  # objects that the codec learns from, at most


class TransformMicroCodec(TransformMicroLayers, Codec[Codes]):
    """The codec is learned and stored before the first wave; latents of each object are fitted to it."""

    name: ClassVar[str] = "transform"
    stored_as: ClassVar[str | None] = "transform-micro"
    settings: ClassVar[type[Any]] = SetSettings
    knob: ClassVar[str] = "price"
    knob_name: ClassVar[str] = "lambda"
    network_in_8_bits: ClassVar[bool] = False
    values: ClassVar[tuple[float, ...]] = (0.02, 0.04, 0.08, 0.16, 0.32)

    @classmethod
    def suits(cls, originals: Originals[Codes]) -> bool:
        return originals.with_views and originals.shared.autoencoder is None

    @classmethod
    def plan(cls, settings: SetSettings, originals: Originals[Codes], seed: int, say: Say) -> dict[str, Any]:
        config, path = originals.shared.family.config, originals.path
        if not config.micro_features:
            raise ConfigError(f"{path}: its family has no micro planes, which codec 'transform' is for")
        if originals.shared.autoencoder is not None:
            raise ConfigError(f"{path}: its fields are in a latent space; codec 'vq' takes them")
        if (most := most_levels(config.resolution)) < LEVELS[0]:
            raise ConfigError(f"{path}: planes of {config.resolution} samples a side are too small for 'transform'")
        check_views(originals, "codec 'transform' learns from")
        settings = replace(settings, levels=min(settings.levels, most))
        return {"seed": seed, "steps": settings.steps, "set": asdict(settings)}

    @classmethod
    def learn(cls, originals: Originals[Codes], plan: Mapping[str, Any], progress: Progress = silent) -> Self:
        settings, seed, ids = SetSettings(**plan["set"]), plan["seed"], originals.ids
        rows = np.unique(np.linspace(0, len(ids) - 1, min(LEARN_FROM, len(ids))).round().astype(int))
        chosen = [ids[row] for row in rows]
        codes, objects = Codes.concatenate(originals.codes(chosen)), originals.fitted(chosen)
        losses = [
            PlaneLoss(objects.shared, item, codes[row], objects.sampler.at(1.0), rays=settings.rays, seed=seed)
            for row, item in enumerate(objects.objects)
        ]
        total = settings.visits * len(chosen)

        def told(done: int, found: dict[str, float]) -> None:
            progress(f"learning a codec from {len(chosen)} objects", done, total, **found)

        made = learn_codec(losses, codes, originals.shared.family.config, settings, seed=seed, after_step=told)
        codec = cls(made.layers, made.shapes, made.pyramid, made.tables, made.empty, made.weights)
        codec.made = plan
        return codec

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        codec = cls.from_tensors(config.layers, config.code_shapes(), tensors, stored.config)
        codec.made = stored.plan
        return codec

    @staticmethod
    def shared_file(tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """That of the run with base planes in 8 bits, to which latents are fitted."""
        return code_shared(tensors, config)

    @property
    def looks_at_views(self) -> bool:
        return True

    def encode(self, codes: Codes, objects: Fitted | None = None, progress: Progress = silent) -> list[list[bytes]]:
        """Per object its layers; with `objects`, of latents that are fitted to their views, one by one."""
        if objects is None:
            return self.layers_of(codes)
        settings, encoded = SetSettings(**self.made["set"]), []
        for row, item in enumerate(objects.objects):
            # Latents make good what the bytes before them lose.
            code = self.with_stored_weights(codes[row].to("cpu"))
            sampler, seed = objects.sampler.at(1.0), self.made["seed"]
            loss = PlaneLoss(objects.shared, item, code, sampler, rays=settings.rays, seed=seed)

            def told(done: int, found: dict[str, float], name: str = item.id) -> None:
                progress(f"{name}: latents", done, settings.steps, **found)

            encoded += self.layers_of(code, [fit_latents(loss, self, code, settings, told)])
        return encoded

    def minor(self, objects: Iterable[Sequence[bytes]]) -> int:
        return 2 if any(self.has_escapes(layers) for layers in objects) else 0

    @property
    def counts(self) -> str:
        return "shared"

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        before = [" and ".join(names) for names in self.layers[:-1]]
        return {what: len(layer) for what, layer in zip((*before, "coarse", "fine"), layers, strict=False)}

    def describe(self) -> str:
        settings = self.made["set"]
        what = f"one decoder of {settings['levels']} levels and one set of tables for the whole set"
        how = f"lambda {settings['price']:g}, {settings['steps']} steps of each object's latents"
        return f"Micro planes are stored by transform coding: {what}; {how}."
