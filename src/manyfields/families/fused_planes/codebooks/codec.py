"""Micro planes of a run by codebooks that all of its objects share: the codec `vq` of fused planes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec, whole
from manyfields.families.fused_planes.codebooks.distil import Distillation, distil
from manyfields.families.fused_planes.codebooks.layers import VqMicroLayers
from manyfields.families.fused_planes.codebooks.settings import CodebookSettings
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress, silent

LEARN_FROM = 256  # objects that codebooks are learned from, at most


class VqMicroCodec(VqMicroLayers, Codec[Codes]):
    """The codec is stored with the first wave, whose indices its tables of frequencies are learned from."""

    name: ClassVar[str] = "vq"
    stored_as: ClassVar[str | None] = "vq-micro"
    settings: ClassVar[type[Any]] = CodebookSettings
    knob: ClassVar[str] = "bits"
    network_in_8_bits: ClassVar[bool] = False
    values: ClassVar[tuple[float, ...]] = (2, 4, 6, 8)
    without_views: ClassVar[str] = ", or compress with steps 0, which needs none"
    learns_from_first_wave: ClassVar[bool] = True

    @classmethod
    def at(cls, settings: Any, value: float) -> Any:
        return replace(settings, bits=(whole(value, "bits"),))

    @classmethod
    def plan(cls, settings: CodebookSettings, originals: Originals[Codes], seed: int, say: Say) -> dict[str, Any]:
        shape = dict(originals.shared.family.config.code_shapes()).get("micro")
        if shape is None:
            raise ConfigError(f"{originals.path}: its family has no micro planes, which codec 'vq' is for")
        features, groups, bits, steps = shape[-1], settings.groups, settings.bits, settings.steps
        if groups is None:
            groups = features // 2 if features % 2 == 0 else features
        if features % groups:
            raise ConfigError(f"groups {groups} does not divide the {features} features of micro planes")
        if not bits or not all(1 <= width <= 12 for width in bits):
            raise ConfigError(f"bits {list(bits)}: one number a stage, from 1 to 12 each")
        if steps and not originals.with_views:
            say("no fitting to views: their folder is not at hand, or the collection is not in a run folder")
            steps = 0
        elif steps and originals.shared.autoencoder is not None:
            say("no fitting to views: fields in a latent space take the nearest entries")
            steps = 0
        return {"bits": list(bits), "groups": groups, "seed": seed, "steps": steps}

    @classmethod
    def learn(cls, originals: Originals[Codes], plan: Mapping[str, Any], progress: Progress = silent) -> Self:
        ids = originals.ids
        rows = np.unique(np.linspace(0, len(ids) - 1, min(LEARN_FROM, len(ids))).round().astype(int))
        family = originals.shared.family.config
        codes = Codes.concatenate(originals.codes([ids[row] for row in rows]))
        progress("learning codebooks", 0, 1)
        layers, shapes = family.layers, family.code_shapes()
        codec = cls.of_codes(codes, layers, shapes, plan["bits"], groups=plan["groups"], seed=plan["seed"])
        codec.made = plan
        progress("learning codebooks", 1, 1)
        return codec

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        codec = cls.from_tensors(config.layers, config.code_shapes(), tensors, stored.config)
        codec.made = stored.plan
        return codec

    @property
    def looks_at_views(self) -> bool:
        return self.made.get("steps", 0) > 0

    def encode(self, codes: Codes, objects: Fitted | None = None, progress: Progress = silent) -> list[list[bytes]]:
        """Per object its layers; with `objects`, of planes that are fitted to their views, one by one."""
        return self.layers_of(self._distilled(codes, objects, progress), self.gains(codes))

    def first_wave(self, codes: Codes, objects: Fitted | None, progress: Progress) -> tuple[Self, list[list[bytes]]]:
        gains, distilled = self.gains(codes), self._distilled(codes, objects, progress)
        codec = self.with_tables_of(distilled, gains)
        codec.made = self.made
        return codec, codec.layers_of(distilled, gains)

    @property
    def counts(self) -> str:
        return "shared"

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return {" and ".join(names): len(layer) for names, layer in zip(self.layers, layers, strict=False)}

    def describe(self) -> str:
        steps = self.made["steps"]
        how = f"fitted to views in {steps} steps" if steps else "the nearest entries"
        books = f"{self.made['groups']} groups of features, {' + '.join(map(str, self.made['bits']))} bits"
        return f"Micro planes are stored by codebooks of the whole set: {books}; indices: {how}."

    def _distilled(self, codes: Codes, objects: Fitted | None, progress: Progress) -> Codes:
        """The codes (B) with micro planes that the codebooks hold, fitted to views; as they are without steps."""
        if objects is None or not self.looks_at_views:
            return codes
        made, codes = [], codes.to("cpu")
        settings, sampler = Distillation(steps=self.made["steps"]), objects.sampler.at(1.0)
        for row, item in enumerate(objects.objects):
            made.append(distil(objects.shared, self, item, codes[row], sampler, settings, seed=objects.seed))
            progress("fitting indices", row + 1, len(objects))
        return Codes.concatenate(made)
