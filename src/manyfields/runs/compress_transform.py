"""`compress --codec transform`: scenes of tensor fields by latents, an entropy model and a light decoder of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from manyfields.collection import Collection
from manyfields.collection.objects import TRANSFORM
from manyfields.compression import Codec, TransformCodec
from manyfields.compression.transform_stream import part_sizes
from manyfields.errors import ConfigError
from manyfields.fields import TensorConfig
from manyfields.fitting.transform_settings import SIZES, TransformSettings
from manyfields.runs.storing import transform_coded

if TYPE_CHECKING:
    from manyfields.runs.compress import Compression

VARIANTS: dict[str, dict[str, Any]] = {
    "no-mask": {"mask": False},
    "no-importance": {"importance": False},
    "gaussian": {"start": "gaussian"},
    "encoder": {"encoder": True},
    "end-to-end": {"end_to_end": True},
}
"""What the paper compares its codec with."""


class TransformWay:
    objects_at_once = 1

    def __init__(
        self,
        source: Collection,
        size: str,
        price: float | None,
        variants: Sequence[str],
        steps: int | None,
        seed: int,
        transform: Mapping[str, Any],
    ) -> None:
        config = source.shared_part.family.config
        if not isinstance(config, TensorConfig) or config.kind != "vm":
            raise ConfigError(f"{source.path}: its fields have no tensor planes (VM), which codec 'transform' is for")
        settings = transform_settings(size, variants, transform)
        settings = settings if price is None else replace(settings, price=price)
        settings = settings if steps is None else replace(settings, steps=steps)
        self.shape: dict[str, Any] = {"codec": TRANSFORM, "seed": seed, "transform": asdict(settings)}

    def prepare(self, source: Collection, has_views: bool, say: Callable[[str], None]) -> None:
        if not has_views:
            raise ConfigError(
                f"{source.path}: codec 'transform' learns from the views that a scene was fitted to, which are not at "
                "hand: restore them, and give the run's folder"
            )

    def encoded(self, of: "Compression", ids: list[str], codec: Codec | None) -> tuple[Codec, list[list[bytes]]]:
        assert of.record is not None
        config = of.source.shared_part.family.config
        codes = [of.source[name].code() for name in ids]
        used = TransformCodec(config)
        scenes = transform_coded(of.source, of.items(ids), codes, of.record, self.shape, of.progress)
        return used, used.encode(scenes)

    def published(self, codec: Codec) -> tuple[dict[str, Tensor], dict[str, Any]]:
        # All that is learned belongs to a scene: its bytes have it.
        return {}, {"codec": TRANSFORM}


def size_breakdown(collection: Collection) -> dict[str, float]:
    """Mean bytes of a scene by part, as in the paper's table 3; "network" is the shared part, divided by the scenes."""
    total: dict[str, float] = {}
    for name in collection.ids:
        for part, size in part_sizes(collection.layers(name)[0]).items():
            total[part] = total.get(part, 0.0) + size / len(collection)
    return {**total, "network": collection.sizes()["shared"] / len(collection)}


def transform_settings(size: str, variants: Sequence[str], changes: Mapping[str, Any]) -> TransformSettings:
    """Settings by the name of a size, with what differs. Raises ConfigError for names that are not known."""
    if size not in SIZES:
        raise ConfigError(f"size {size!r}: one of {', '.join(SIZES)}")
    found = SIZES[size]
    for name in variants:
        if name not in VARIANTS:
            raise ConfigError(f"variant {name!r}: of {', '.join(VARIANTS)}")
        found = replace(found, **VARIANTS[name])
    try:
        return replace(found, **changes)
    except TypeError as error:
        raise ConfigError(f"transform {dict(changes)}: {error}") from error
