"""Scenes of tensor fields by latents, an entropy model and a light decoder of each: their codec `transform`.

A scene has a decoder of its own, or all take that of a codec which was learned from other scenes. Either way it is one
layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import tyro
from torch import Tensor

from manyfields._checks import COUNT
from manyfields.compression.transform.latents import kept_latents
from manyfields.errors import CollectionError, ConfigError, RunError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec, check_views
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.other_scenes import check_others, planes_of
from manyfields.families.tensor_planes.transform.pictures import importance_picture, side_by_side
from manyfields.families.tensor_planes.transform.pretraining import learn_transform
from manyfields.families.tensor_planes.transform.scene import CodedScene, CommonTransform
from manyfields.families.tensor_planes.transform.stream import decode_coded, encode_coded, part_sizes
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.transform.latents import bytes_by_tables
from manyfields.fitting.transform.settings import VARIANTS, TransformChoices, TransformSettings

LATENT_TEXELS = 4  # along a side: masks are shown as large as the planes
NOT_LEARNED = ("hyperprior", "encoder", "vectors", "network", "end_to_end")


@dataclass(frozen=True)
class PlaneChoices(TransformChoices):
    """Tensor planes by latents, an entropy model and a light decoder of each scene."""

    learn_from: tuple[Path, ...] = ()
    """Runs of other scenes, from whose planes one codec for all scenes is learned, or a collection that holds such a
    codec; scenes then take one pass of its encoder, and --steps in which their latents learn (0)."""
    learn_steps: Annotated[int | None, tyro.conf.arg(metavar="INT"), COUNT] = None
    """Steps in which that codec is learned; 1000 (S) or 30000 if not given."""


class TransformCodec(Codec[TensorCodes]):
    """Scenes as `TransformFitter` makes them, to bytes; bytes to codes of a family of tensor fields (VM)."""

    name: ClassVar[str] = "transform"
    settings: ClassVar[type[Any]] = PlaneChoices
    knob: ClassVar[str] = "price"
    knob_name: ClassVar[str] = "lambda"
    values: ClassVar[tuple[float, ...]] = (0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.01, 0.02)
    curves: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **{f"transform-{name}": {"variants": (name,)} for name in VARIANTS},
        # Both, as the baselines fine-tune them.
        "transform-vectors-network": {"variants": ("vectors", "network")},
    }
    one_by_one: ClassVar[bool] = True

    def __init__(
        self, config: TensorConfig, common: CommonTransform | None = None, stored: StoredCodec | None = None
    ) -> None:
        """`common`: decoder and tables of a codec that was learned from other scenes."""
        if config.kind != "vm":
            raise ValueError("fields of vectors alone (CP) have no planes to code")
        self.config, self.common, self._stored = config, common, stored or StoredCodec()
        self.made = self._stored.plan
        self._learned: LearnedTransform | None = None

    @classmethod
    def plan(cls, settings: PlaneChoices, originals: Originals[TensorCodes], seed: int, say: Say) -> dict[str, Any]:
        others = originals.others
        found = settings.resolved(settings.learn_steps if others else settings.steps)
        if others:
            for name in NOT_LEARNED:
                if getattr(found, name):
                    raise ConfigError(f"{name}: not with a codec that is learned from other scenes")
            if found.start != "zeros":
                raise ConfigError("a codec that is learned from other scenes starts at its encoder, not at noise")
            check_others(originals)
            if len(others) > 1 and any(_learned_of(other) for other in others):
                raise ConfigError("a collection that holds a learned codec is taken as it is: give it alone")
        if originals.shared.family.config.kind != "vm":
            raise ConfigError(
                f"{originals.path}: its fields have no tensor planes (VM), which codec 'transform' is for"
            )
        made = {"seed": seed, "steps": found.steps, "transform": asdict(found)}
        if others:
            made |= {"steps": settings.steps or 0, "learned_from": [other.shared_hash[:16] for other in others]}
        if made["steps"]:
            check_views(originals, "codec 'transform' learns from")
        return made

    @classmethod
    def learn(cls, originals: Originals[TensorCodes], plan: Mapping[str, Any], progress: Progress = silent) -> Self:
        config, stored = originals.shared.family.config, StoredCodec(plan=plan)
        if "learned_from" not in plan:
            return cls(config, None, stored)
        settings = TransformSettings(**plan["transform"])

        def tell(step: int, losses: dict[str, float]) -> None:
            progress("learning a codec", step, settings.steps, **losses)

        learned = _learned_of(originals.others[0])
        if learned is None:
            learned = learn_transform(planes_of(originals.others), settings, plan["seed"], tell)
        codec = cls(config, learned.common, stored)
        codec._learned = learned
        return codec

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config, CommonTransform.from_tensors(tensors, stored.config) if tensors else None, stored)

    @property
    def looks_at_views(self) -> bool:
        return self.made.get("steps", 0) > 0

    def encode(
        self, codes: TensorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        """Per scene its layer: from views, or by the encoder of a learned codec. Raises CollectionError for NaN."""
        return self.layers_of(self.coded(codes, objects, progress))

    def coded(self, codes: TensorCodes, objects: Fitted | None, progress: Progress = silent) -> list[CodedScene]:
        """What is stored of scenes (B)."""
        settings, learned = TransformSettings(**self.made["transform"]), None
        if self.common is not None:
            learned = self.learned()
            if not self.made["steps"]:
                made = [learned.coded(grids, settings) for grids in codes.grids]
                return [self._noted(scene, None, objects, row) for row, scene in enumerate(made)]
        if objects is None:
            raise RunError("codec 'transform' learns from the views that objects were fitted to, and there are none")
        settings, sampler = replace(settings, steps=self.made["steps"]), objects.sampler.at(1.0)
        shared, seed, half, scenes = objects.shared, self.made["seed"], objects.half, []
        for row, (item, grids) in enumerate(zip(objects.objects, codes.grids, strict=True)):
            fitter = TransformFitter(shared, item, grids, sampler, settings, seed, learned, half)

            def tell(step: int, losses: dict[str, float], name: str = item.id) -> None:
                progress(f"coding {name}", step, settings.steps, **losses)

            scenes.append(self._noted(fitter.run(tell), fitter, objects, row))
        return scenes

    def layers_of(self, scenes: Sequence[CodedScene]) -> list[list[bytes]]:
        """Per scene its layer. Raises CollectionError for numbers that are NaN."""
        return [[encode_coded(scene)] for scene in scenes]

    def scenes(self, objects: Sequence[Sequence[bytes]]) -> list[CodedScene]:
        """What the layer of each object holds. Raises CollectionError, naming the part that is damaged."""
        for layers in objects:
            if len(layers) != 1:
                raise CollectionError(f"an object has {len(layers)} layers, one of tensor fields has 1")
        return [decode_coded(layers[0], self.config, self.common) for layers in objects]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B), the same bits in every process on a machine. Raises CollectionError as `scenes`."""
        return TensorCodes(tuple(scene.grids() for scene in self.scenes(objects)))

    def learned(self) -> LearnedTransform:
        """The codec with its encoder, where it was learned from other scenes. Raises RunError without encoder."""
        if self._learned is None:
            tensors = self._stored.encoder()
            if self.common is None or tensors is None:
                raise RunError("the collection has no encoder of a learned codec; fetch its encoder file")
            self._learned = LearnedTransform.of(self.common, tensors)
        return self._learned

    def tensors(self) -> dict[str, Tensor]:
        return {} if self.common is None else self.common.tensors()

    def file_config(self) -> dict[str, Any]:
        return {} if self.common is None else self.common.config()

    def encoder_tensors(self) -> dict[str, Tensor] | None:
        return None if self.common is None else self.learned().encoder_tensors()

    @property
    def counts(self) -> str:
        return "config" if TransformSettings(**self.made["transform"]).network_learns else "network"

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return part_sizes(layers[0])

    def pictures(self, layers: Sequence[bytes]) -> list[tuple[str, np.ndarray]]:
        (scene,) = self.scenes([layers])
        masks = [np.kron(mask.flip(0).numpy(), np.ones((LATENT_TEXELS,) * 2)) for mask in scene.masks]
        return [("latents that are stored: planes XY, XZ, YZ", side_by_side([255 * mask for mask in masks]))]

    def describe(self) -> str:
        settings = TransformSettings(**self.made["transform"])
        return f"Tensor planes are stored by transform coding: {settings.words}; each scene has its decoder."

    def _noted(self, scene: CodedScene, fitter: TransformFitter | None, objects: Fitted | None, row: int) -> CodedScene:
        """The scene; who keeps notes is told what its bytes do not have."""
        if objects is None:
            return scene
        name = objects.objects[row].id
        if fitter is not None:
            objects.note(name, "importance", lambda: importance_picture(fitter.importance))
        if fitter is None or fitter.learned is not None:
            latents = kept_latents(scene.latents, scene.masks)
            objects.note(name, "estimated bytes", lambda: bytes_by_tables(scene.tables, latents))
        else:
            objects.note(name, "estimated bytes", fitter.estimated_bytes)
        return scene


def _learned_of(other: Originals[TensorCodes]) -> LearnedTransform | None:
    """The learned codec that a collection holds; None for others."""
    codec = other.codec
    return codec.learned() if isinstance(codec, TransformCodec) and codec.common is not None else None


class PretrainedCodec(TransformCodec):
    """Curves of codecs that are learned from other scenes, one for each lambda (Neural NeRF Compression, section 5.1).

    Scenes by an encoder alone, or with `steps` of their latents. The codec's file counts as the network does: divided
    by the scenes of the run.
    """

    name: ClassVar[str] = "transform-pretrained"
    curves: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    collections: ClassVar[bool] = False

    @classmethod
    def plan(cls, settings: PlaneChoices, originals: Originals[TensorCodes], seed: int, say: Say) -> dict[str, Any]:
        if not originals.others:
            raise ConfigError(f"learn_from: the codec {cls.name!r} needs runs of other scenes")
        for other in originals.others:
            if _learned_of(other) is not None:
                raise ConfigError(f"{other.path} holds a learned codec; a curve needs one for each lambda: give runs")
        return super().plan(settings, originals, seed, say)
