"""`compress --codec vq`: micro planes of fused planes by codebooks that all objects of a run share."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from manyfields.collection import Collection
from manyfields.collection.objects import VQ_MICRO
from manyfields.compression import Codec, VqMicroCodec
from manyfields.errors import ConfigError
from manyfields.fields import Codes
from manyfields.runs.storing import distilled

if TYPE_CHECKING:
    from manyfields.runs.compress import Compression

BITS = (6,)
STEPS = 300
LEARN_FROM = 256  # objects that codebooks are learned from, at most


class VqWay:
    """The codec is published with the first wave, whose indices its tables are learned from."""

    objects_at_once = 32
    """Stored as one wave: what a crash loses at most."""

    def __init__(self, source: Collection, bits: Sequence[int], groups: int | None, steps: int | None, seed: int):
        shape = dict(source.shared_part.family.config.code_shapes()).get("micro") if _has_codes(source) else None
        if shape is None:
            raise ConfigError(f"{source.path}: its family has no micro planes, which codec 'vq' is for")
        features = shape[-1]
        if groups is None:
            groups = features // 2 if features % 2 == 0 else features
        if groups < 1 or features % groups:
            raise ConfigError(f"groups {groups} does not divide the {features} features of micro planes")
        if not bits or not all(1 <= width <= 12 for width in bits):
            raise ConfigError(f"bits {list(bits)}: one number a stage, from 1 to 12 each")
        steps = STEPS if steps is None else steps
        if steps < 0:
            raise ConfigError(f"steps {steps}: 0 or more")
        self.shape: dict[str, Any] = {"bits": list(bits), "groups": groups, "seed": seed, "steps": steps}

    def prepare(self, source: Collection, has_views: bool, say: Callable[[str], None]) -> None:
        """Without steps where nothing can be fitted to views, which `say` tells."""
        if self.shape["steps"] and not has_views:
            say("no fitting to views: their folder is not at hand, or the collection is not in a run folder")
            self.shape["steps"] = 0
        elif self.shape["steps"] and source.shared_part.autoencoder is not None:
            say("no fitting to views: fields in a latent space take the nearest entries")
            self.shape["steps"] = 0

    def encoded(self, of: "Compression", ids: list[str], codec: Codec | None) -> tuple[Codec, list[list[bytes]]]:
        codes = _codes(of.source, ids)
        used = self._learn(of) if codec is None else codec
        assert isinstance(used, VqMicroCodec)
        gains = used.gains(codes)
        if self.shape["steps"]:
            assert of.record is not None
            codes = distilled(of.source, used, of.items(ids), codes, of.record, self.shape["steps"], of.progress)
        if codec is None:
            used = used.with_tables_of(codes, gains)
        return used, used.encode(codes, gains)

    def published(self, codec: Codec) -> tuple[dict[str, Tensor], dict[str, Any]]:
        assert isinstance(codec, VqMicroCodec)
        return codec.tensors(), {**codec.config(), "codec": VQ_MICRO}

    def _learn(self, of: "Compression") -> VqMicroCodec:
        ids, shape = of.source.ids, self.shape
        rows = np.unique(np.linspace(0, len(ids) - 1, min(LEARN_FROM, len(ids))).round().astype(int))
        family = of.source.shared_part.family.config
        codes = _codes(of.source, [ids[row] for row in rows])
        of.progress("learning codebooks", 0, 1)
        codec = VqMicroCodec.learn(
            codes, family.layers, family.code_shapes(), shape["bits"], groups=shape["groups"], seed=shape["seed"]
        )
        of.progress("learning codebooks", 1, 1)
        return codec


def _has_codes(source: Collection) -> bool:
    return hasattr(source.shared_part.family.config, "code_shapes")


def _codes(source: Collection, ids: Sequence[str]) -> Codes:
    codes = [source[name].code() for name in ids]
    return Codes.concatenate([code for code in codes if isinstance(code, Codes)])
