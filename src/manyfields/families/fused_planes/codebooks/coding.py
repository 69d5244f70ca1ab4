"""Micro planes of a run by codebooks that all of its objects share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manyfields.collection import Collection
from manyfields.collection.objects import VQ_MICRO
from manyfields.errors import ConfigError
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.fields import Codes
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import distilled

LEARN_FROM = 256  # objects that codebooks are learned from, at most


class MicroWaves(Waves):
    """The codec is published with the first wave, whose indices its tables of frequencies are learned from."""

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        codes = self._codes(ids)
        codec = self._learn() if self.target is None else self.target.codec
        assert isinstance(codec, VqMicroCodec)
        gains = codec.gains(codes)
        if self.shape["steps"]:
            items, record = self.items(ids), self.record
            assert record is not None
            codes = distilled(self.source, codec, items, codes, record, self.shape["steps"], self.progress)
        if self.target is None:
            codec = codec.with_tables_of(codes, gains)
            self.target = self.publish((codec.tensors(), {**codec.config(), "codec": VQ_MICRO}))
        return codec.encode(codes, gains)

    def _learn(self) -> VqMicroCodec:
        ids = self.source.ids
        rows = np.unique(np.linspace(0, len(ids) - 1, min(LEARN_FROM, len(ids))).round().astype(int))
        family = self.source.shared_part.family.config
        codes = self._codes([ids[row] for row in rows])
        self.progress("learning codebooks", 0, 1)
        shape = self.shape
        codec = VqMicroCodec.learn(
            codes, family.layers, family.code_shapes(), shape["bits"], groups=shape["groups"], seed=shape["seed"]
        )
        self.progress("learning codebooks", 1, 1)
        return codec

    def _codes(self, ids: Sequence[str]) -> Codes:
        return Codes.concatenate([code for code in self.codes_of(ids) if isinstance(code, Codes)])


def micro_shape(source: Collection, bits: Sequence[int], groups: int | None, steps: int, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what does not fit the run."""
    shape = dict(source.shared_part.family.config.code_shapes()).get("micro")
    if shape is None:
        raise ConfigError(f"{source.path}: its family has no micro planes, which codec 'vq' is for")
    features = shape[-1]
    if groups is None:
        groups = features // 2 if features % 2 == 0 else features
    if groups < 1 or features % groups:
        raise ConfigError(f"groups {groups} does not divide the {features} features of micro planes")
    if not bits or not all(1 <= width <= 12 for width in bits):
        raise ConfigError(f"bits {list(bits)}: one number a stage, from 1 to 12 each")
    return {"bits": list(bits), "groups": groups, "seed": seed, "steps": steps}
