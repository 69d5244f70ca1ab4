"""Scenes of tensor fields by pyramids of latents: their codec `pyramid`. Nothing learns, so it takes seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

from torch import Tensor

from manyfields.errors import CollectionError, ConfigError, RunError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.pyramid.fitter import pyramid_of
from manyfields.families.tensor_planes.pyramid.scene import PyramidScene
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.families.tensor_planes.pyramid.stream import decode_pyramid, encode_pyramid, part_sizes
from manyfields.fitting.progress import Progress, silent


class PyramidCodec(Codec[TensorCodes]):
    """Scenes in one pass over their training views, to bytes; bytes to codes of a family of tensor fields (VM)."""

    name: ClassVar[str] = "pyramid"
    settings: ClassVar[type[Any]] = PyramidSettings
    knob: ClassVar[str] = "price"
    knob_name: ClassVar[str] = "step"
    values: ClassVar[tuple[float, ...]] = (0.008, 0.012, 0.016, 0.024, 0.04, 0.08)
    # Of the run's shared part there is only the config: each file has the network.
    curve_settings: ClassVar[Mapping[str, Any]] = {"own_network": True}
    network_in_8_bits: ClassVar[bool] = False
    one_by_one: ClassVar[bool] = True

    def __init__(self, config: TensorConfig, stored: StoredCodec | None = None) -> None:
        if config.kind != "vm":
            raise ValueError("fields of vectors alone (CP) have no planes to code")
        self.config = config
        self.made = (stored or StoredCodec()).plan

    @classmethod
    def plan(cls, settings: PyramidSettings, originals: Originals[TensorCodes], seed: int, say: Say) -> dict[str, Any]:
        if not originals.with_views:
            raise ConfigError(
                f"{originals.path}: codec 'pyramid' looks at the views that scenes were fitted to: restore them"
            )
        if originals.shared.family.config.kind != "vm":
            raise ConfigError(f"{originals.path}: its fields have no tensor planes (VM), which codec 'pyramid' is for")
        return {"seed": seed, "steps": 0, "pyramid": asdict(settings)}

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config, stored)

    @property
    def looks_at_views(self) -> bool:
        return True

    def encode(
        self, codes: TensorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        """Per scene its layer, in steps that suit what its views are sensitive to. Raises CollectionError for NaN."""
        if objects is None:
            raise RunError("codec 'pyramid' looks at the views that scenes were fitted to, and there are none")
        settings, sampler, scenes = PyramidSettings(**self.made["pyramid"]), objects.sampler.at(1.0), []
        for row, (item, grids) in enumerate(zip(objects.objects, codes.grids, strict=True)):
            progress(f"coding {item.id}", row, len(objects))
            scenes.append(pyramid_of(objects.shared, item, grids, sampler, settings, self.made["seed"]))
        return self.layers_of(scenes)

    def layers_of(self, scenes: Sequence[PyramidScene]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_pyramid(scene)] for scene in scenes]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError, naming the damaged part."""
        for layers in objects:
            if len(layers) != 1:
                raise CollectionError(f"an object has {len(layers)} layers, one of tensor fields has 1")
        scenes = [decode_pyramid(layers[0], self.config) for layers in objects]
        return TensorCodes(tuple(scene.grids(self.config.numbers) for scene in scenes))

    @property
    def counts(self) -> str:
        return "config" if self.made["pyramid"]["own_network"] else "network"

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return part_sizes(layers[0])

    def describe(self) -> str:
        settings = self.made["pyramid"]
        what = f"pyramids of {settings['levels']} levels of latents, steps of {settings['price']:g}"
        return f"Tensor planes are stored by {what}, in directions that pictures are sensitive to."
