"""`compress --codec transform`: scenes of tensor fields by latents, an entropy model and a light decoder of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from manyfields.collection import Collection
from manyfields.collection.objects import TRANSFORM
from manyfields.compression.transform_parts import part_sizes
from manyfields.errors import ConfigError
from manyfields.fields import TensorCodes, TensorConfig
from manyfields.fitting.transform_settings import SIZES, TransformSettings
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
    one_by_one = True

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        assert self.record is not None
        codes = [code for code in self.codes_of(ids) if isinstance(code, TensorCodes)]
        items = self.items(ids)
        scenes = transform_coded(self.source, items, codes, self.record, self.shape, self.folder, self.progress)
        if self.target is None:
            # All that is learned belongs to a scene: its bytes have it.
            self.target = self.publish(({}, {"codec": TRANSFORM}))
        return self.target.codec.encode(scenes)


def transform_shape(source: Collection, settings: TransformSettings, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises ConfigError for what does not fit the run."""
    config = source.shared_part.family.config
    if not isinstance(config, TensorConfig) or config.kind != "vm":
        raise ConfigError(f"{source.path}: its fields have no tensor planes (VM), which codec 'transform' is for")
    return {"seed": seed, "steps": settings.steps, "transform": asdict(settings)}


def size_breakdown(collection: Collection) -> dict[str, float]:
    """Mean bytes of a scene by part, as in the paper's table 3; "network" is the shared part, divided by the scenes."""
    total: dict[str, float] = {}
    for name in collection.ids:
        for part, size in part_sizes(collection.layers(name)[0]).items():
            total[part] = total.get(part, 0.0) + size / len(collection)
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
