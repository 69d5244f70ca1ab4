"""`compress --codec transform`: scenes of tensor fields by latents, an entropy model and a light decoder of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from manyfields.collection import Collection
from manyfields.collection.objects import TRANSFORM
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.other_scenes import OtherScenes, common_of, learned_of
from manyfields.families.tensor_planes.transform.scene import CodedScene
from manyfields.fitting.transform.settings import SIZES, TransformSettings
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import transform_coded

VARIANTS: dict[str, dict[str, Any]] = {
    "no-mask": {"mask": False},
    "no-importance": {"importance": False},
    "gaussian": {"start": "gaussian"},
    "encoder": {"encoder": True},
    "hyperprior": {"hyperprior": True},
    "vectors": {"vectors": True},
    "network": {"network": True},
    "end-to-end": {"end_to_end": True},
}
"""What the paper compares its codec with."""


class TransformWaves(Waves):
    """Scenes with decoders of their own: all that is learned belongs to a scene, and its bytes have it."""

    one_by_one = True

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        scenes = self.coded(ids)
        if self.target is None:
            self.target = self.publish(({}, {"codec": TRANSFORM}))
        return self.target.codec.encode(scenes)

    def coded(self, ids: Sequence[str], learned: LearnedTransform | None = None) -> list[CodedScene]:
        codes = [code for code in self.codes_of(ids) if isinstance(code, TensorCodes)]
        items = self.items(ids) if self.shape["steps"] else []
        return transform_coded(self.source, items, codes, self.record, self.shape, self.folder, self.progress, learned)


class LearnedTransformWaves(TransformWaves):
    """Scenes by a codec that is learned from `others`, published before the first of them. `waves`: see Waves."""

    def __init__(self, others: OtherScenes, *waves: Any) -> None:
        super().__init__(*waves)
        self.others = others
        self._learned: LearnedTransform | None = None

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        if self.target is None:
            learned = self.others.codec(TransformSettings(**self.shape["transform"]), self.shape["seed"], self.progress)
            config = {"codec": TRANSFORM, **learned.common.config()}
            self.target = self.publish((learned.common.tensors(), config), learned.encoder_tensors())
        if self._learned is None:
            self._learned = learned_of(self.target)
        return self.target.codec.encode(self.coded(ids, self._learned))


def transform_shape(source: Collection, settings: TransformSettings, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what does not fit the run."""
    config = source.shared_part.family.config
    if not isinstance(config, TensorConfig) or config.kind != "vm":
        raise ConfigError(f"{source.path}: its fields have no tensor planes (VM), which codec 'transform' is for")
    return {"seed": seed, "steps": settings.steps, "transform": asdict(settings)}


def learned_shape(
    source: Collection, settings: TransformSettings, steps: int, seed: int, others: OtherScenes
) -> dict[str, Any]:
    """Likewise, of a codec that is learned from other scenes; `steps` are those of each scene."""
    for name in ("hyperprior", "encoder", "vectors", "network", "end_to_end"):
        if getattr(settings, name):
            raise ConfigError(f"{name}: not with a codec that is learned from other scenes")
    if settings.start != "zeros" or steps < 0:
        raise ConfigError("a codec that is learned from other scenes starts at its encoder, and takes 0 steps or more")
    shape = transform_shape(source, settings, seed)
    return {**shape, "steps": steps, "learned_from": others.hashes}


def size_breakdown(collection: Collection) -> dict[str, float]:
    """Mean bytes of a scene by part, as in the paper's table 3.

    "network" is the shared part, divided by the scenes, and so is "codec" where it was learned from other scenes.
    """
    total: dict[str, float] = {}
    codec = collection.codec
    assert isinstance(codec, TransformCodec | FactorTransformCodec | PyramidCodec)
    for name in collection.ids:
        for part, size in codec.part_sizes(collection.layers(name)[0]).items():
            total[part] = total.get(part, 0.0) + size / len(collection)
    if common_of(collection) is not None:
        total["codec"] = collection.sizes()["codec"] / len(collection)
    return {**total, "network": collection.sizes()["shared"] / len(collection)}


def transform_settings(
    size: str, price: float | None, variants: Sequence[str], steps: int | None, changes: Mapping[str, Any]
) -> TransformSettings:
    """Settings by the name of a size, with what differs. Raises ConfigError for what is not known."""
    if size not in SIZES:
        raise ConfigError(f"size {size!r}: one of {', '.join(SIZES)}")
    found = SIZES[size]
    for name in variants:
        if name not in VARIANTS:
            raise ConfigError(f"variant {name!r}: of {', '.join(VARIANTS)}")
        found = replace(found, **VARIANTS[name])
    try:
        found = replace(found, **changes)
    except TypeError as error:
        raise ConfigError(f"transform {dict(changes)}: {error}") from error
    return replace(found, price=found.price if price is None else price, steps=found.steps if steps is None else steps)
