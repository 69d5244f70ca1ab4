"""Scenes of factor fields by latents, an entropy model and a light decoder of each: their codec `transform`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self, get_args

from torch import Tensor

from manyfields.errors import RunError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec, check_views
from manyfields.families.factor_fields.codec import only_layers
from manyfields.families.factor_fields.field import FactorConfig
from manyfields.families.factor_fields.grids import FactorCodes
from manyfields.families.factor_fields.transform.fitter import FactorTransformFitter, check_settings
from manyfields.families.factor_fields.transform.scene import CodedFactors
from manyfields.families.factor_fields.transform.stream import decode_factors, encode_factors, factor_part_sizes
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.transform.settings import TransformChoices, TransformSettings

BasisVariant = Literal["no-mask", "no-importance", "gaussian", "vectors"]


@dataclass(frozen=True)
class BasisChoices(TransformChoices):
    """Basis grids by latents, an entropy model and a light decoder of each scene."""

    variants: tuple[BasisVariant, ...] = ()
    """What the paper compares with: all latents coded (no-mask), errors that count alike everywhere (no-importance),
    latents that start at noise (gaussian), coefficients that go on learning beside latents (vectors)."""


class FactorTransformCodec(Codec[FactorCodes]):
    """Scenes as `FactorTransformFitter` makes them, to bytes; bytes to codes of a family of factor fields."""

    name: ClassVar[str] = "transform"
    settings: ClassVar[type[Any]] = BasisChoices
    knob: ClassVar[str] = "price"
    knob_name: ClassVar[str] = "lambda"
    values: ClassVar[tuple[float, ...]] = (0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.01, 0.02)
    curves: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        f"transform-{name}": {"variants": (name,)} for name in get_args(BasisVariant)
    }
    one_by_one: ClassVar[bool] = True

    def __init__(self, config: FactorConfig, stored: StoredCodec | None = None) -> None:
        self.config = config
        self.made = (stored or StoredCodec()).plan

    @classmethod
    def plan(cls, settings: BasisChoices, originals: Originals[FactorCodes], seed: int, say: Say) -> dict[str, Any]:
        found = settings.resolved(settings.steps)
        check_settings(found)
        check_views(originals, "codec 'transform' learns from")
        return {"seed": seed, "steps": found.steps, "transform": asdict(found)}

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config, stored)

    @property
    def looks_at_views(self) -> bool:
        return True

    def encode(
        self, codes: FactorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        """Per scene its layer, learned from its views. Raises CollectionError for NaN."""
        if objects is None:
            raise RunError("codec 'transform' learns from the views that objects were fitted to, and there are none")
        settings, sampler, seed = (
            TransformSettings(**self.made["transform"]),
            objects.sampler.at(1.0),
            self.made["seed"],
        )
        scenes = []
        for item, grids in zip(objects.objects, codes.grids, strict=True):
            fitter = FactorTransformFitter(objects.shared, item, grids, sampler, settings, seed, half=objects.half)

            def tell(step: int, losses: dict[str, float], name: str = item.id) -> None:
                progress(f"coding {name}", step, settings.steps, **losses)

            scenes.append(fitter.run(tell))
            objects.note(item.id, "estimated bytes", fitter.estimated_bytes)
        return self.layers_of(scenes)

    def layers_of(self, scenes: Sequence[CodedFactors]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_factors(scene)] for scene in scenes]

    def scenes(self, objects: Sequence[Sequence[bytes]]) -> list[CodedFactors]:
        """What the layer of each object holds. Raises CollectionError, naming the part that is damaged."""
        return [decode_factors(layer, self.config) for layer in only_layers(objects)]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> FactorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError as `scenes`."""
        return FactorCodes(tuple(scene.grids() for scene in self.scenes(objects)))

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return factor_part_sizes(layers[0])

    def describe(self) -> str:
        settings = TransformSettings(**self.made["transform"])
        return f"Basis grids are stored by transform coding: {settings.words}; each scene has its decoder."
