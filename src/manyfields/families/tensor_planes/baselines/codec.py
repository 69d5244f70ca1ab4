"""What VQ-TensoRF and Re:TensoRF make of scenes of planes, for curves beside those of our codecs: one file a scene.

A file holds the network, too, so nothing else is counted.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from manyfields._checks import NATURAL, check_annotated
from manyfields.cameras import Cameras, Rays
from manyfields.errors import ConfigError, RunError
from manyfields.families.codec import Codec, Fitted, Originals, Say, StoredCodec, whole
from manyfields.families.tensor_planes.baselines.remove_and_reinclude import Pruning, remove_and_reinclude
from manyfields.families.tensor_planes.baselines.vq_file import decode_vq_scene, encode_vq_scene, part_sizes
from manyfields.families.tensor_planes.baselines.vq_fine_tuning import FineTuning, fine_tune
from manyfields.families.tensor_planes.baselines.vq_planes import VqScene, VqSplit
from manyfields.families.tensor_planes.grids import TensorCodes, TensorGrids
from manyfields.families.tensor_planes.importance import importance_scores
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.shared_part import SharedPart

SHARE_OF_STEPS = 1 / 3  # of those of the fit: VQ-TensoRF takes 10,000 after TensoRF's 30,000
SHARE_OF_RATES = 1 / 4  # of those that the fit began with; it ended with a tenth
PIXELS = 128  # along the longer side of the views that importance is measured in: more would not tell more of texels
BITS_BESIDE_KEPT = 8  # the original's 12 are for planes of seven times as many texels

Told = Callable[[int, float], None]


@dataclass(frozen=True)
class BaselineSettings:
    """What is learned as a scene is compressed."""

    steps: Annotated[int | None, tyro.conf.arg(metavar="INT"), NATURAL] = None
    """Of fine-tuning to the views; a third of those of the fit if not given."""
    value: Annotated[float, tyro.conf.Suppress, NATURAL] = 0.0
    """That of the curve's knob."""

    def __post_init__(self) -> None:
        check_annotated(self)


class TensorFileCodec(Codec[TensorCodes]):
    """Scenes of planes (kind 'vm'), fine-tuned to the views of the run as they are compressed."""

    settings: ClassVar[type[Any]] = BaselineSettings
    knob: ClassVar[str] = "value"
    collections: ClassVar[bool] = False
    network_in_8_bits: ClassVar[bool] = False

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.made = plan

    @classmethod
    def plan(cls, settings: BaselineSettings, originals: Originals[TensorCodes], seed: int, say: Say) -> dict[str, Any]:
        if originals.shared.family.config.kind != "vm":
            raise ConfigError(f"{originals.path}: this codec is for tensor fields of kind 'vm'")
        return {"seed": seed, "steps": settings.steps, "value": settings.value}

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(stored.plan)

    @property
    def looks_at_views(self) -> bool:
        return True

    @abstractmethod
    def compressed(
        self, objects: Fitted, grids: TensorGrids, loss: SceneLoss, tuning: FineTuning, told: Told
    ) -> VqScene:
        """One scene at the value of the knob; the network of `loss` learns with it."""

    def encode(
        self, codes: TensorCodes, objects: Fitted | None = None, progress: Progress = silent
    ) -> list[list[bytes]]:
        if objects is None:
            raise RunError(f"codec {self.name!r} fine-tunes to the views that scenes were fitted to: there are none")
        pairs = zip(objects.objects, codes.grids, strict=True)
        return [[self._encode(objects, item, grids, progress)] for item, grids in pairs]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> TensorCodes:
        """Codes (B); `shared_of` gives the network of each. Raises CollectionError for damaged bytes."""
        return TensorCodes(tuple(decode_vq_scene(layers[0]).scene.grids() for layers in objects))

    def shared_of(self, layers: Sequence[bytes], shared: SharedPart) -> SharedPart:
        return SharedPart(decode_vq_scene(layers[0]).family, None)

    @property
    def counts(self) -> str:
        return "nothing"

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return part_sizes(layers[0])

    def _encode(self, objects: Fitted, item: FittingObject, grids: TensorGrids, progress: Progress) -> bytes:
        phase, steps = objects.phase, self.made["steps"]
        tuning = FineTuning(
            steps=max(1, round(SHARE_OF_STEPS * phase.steps)) if steps is None else steps,
            rate=SHARE_OF_RATES * phase.codes_rate,
            network_rate=SHARE_OF_RATES * phase.fields_rate,
        )
        sampler, rays, seed = objects.sampler.at(1.0), phase.rays_per_object, self.made["seed"]
        loss = SceneLoss(objects.shared, grids, item, sampler, rays=rays, half=objects.half, seed=seed)

        def told(done: int, error: float) -> None:
            progress(f"{item.id}: {self.knob_name} {self.made['value']:g}", done, tuning.steps, rgb=error)

        return encode_vq_scene(loss.shared.family, self.compressed(objects, grids, loss, tuning, told))


class VqTensorCodec(TensorFileCodec):
    """VQ-TensoRF (Li et al. 2023). The knob is the size of codebooks, as in the papers' curves."""

    name: ClassVar[str] = "vq-tensorf"
    knob_name: ClassVar[str] = "bits of a codebook"
    values: ClassVar[tuple[float, ...]] = (4, 6, 8, 10, 12)

    def split(self) -> VqSplit:
        return VqSplit(bits=whole(self.made["value"], self.knob_name))

    def compressed(
        self, objects: Fitted, grids: TensorGrids, loss: SceneLoss, tuning: FineTuning, told: Told
    ) -> VqScene:
        split = self.split()
        importance = _importance(objects, grids, loss.data.objects[0].cameras)
        return fine_tune(loss, VqScene.of_grids(grids, importance, split, self.made["seed"]), tuning, after_step=told)


class VqKeptCodec(VqTensorCodec):
    """VQ-TensoRF with codebooks of one size. The knob is how much is kept beside them, which takes most bytes."""

    name: ClassVar[str] = "vq-tensorf-kept"
    knob_name: ClassVar[str] = "share of importance kept"
    values: ClassVar[tuple[float, ...]] = (0.1, 0.3, 0.5, 0.7, 0.85)

    def split(self) -> VqSplit:
        return VqSplit(bits=BITS_BESIDE_KEPT, kept=self.made["value"])


class ReTensorCodec(TensorFileCodec):
    """Re:TensoRF (Deng and Tartaglione 2023). The knob is the share of texels that is left."""

    name: ClassVar[str] = "re-tensorf"
    knob_name: ClassVar[str] = "share of texels left"
    values: ClassVar[tuple[float, ...]] = (0.05, 0.1, 0.2, 0.3, 0.5)

    def compressed(
        self, objects: Fitted, grids: TensorGrids, loss: SceneLoss, tuning: FineTuning, told: Told
    ) -> VqScene:
        return remove_and_reinclude(loss, grids, self.made["value"], Pruning(), tuning, told)


def _importance(objects: Fitted, grids: TensorGrids, cameras: Cameras) -> tuple[Float[Tensor, "_ _"], ...]:
    shared, codes, box = objects.shared, TensorCodes((grids,)), grids.box[None]
    small = min(1.0, PIXELS / max(cameras.width, cameras.height))
    views = cameras.resized(max(1, round(small * cameras.width)), max(1, round(small * cameras.height)))
    field, guide = shared.family.field(codes), shared.guide(codes, box)
    assert guide is not None
    rays = views.rays()
    rays = Rays(rays.origins.reshape(1, -1, 3), rays.directions.reshape(1, -1, 3))
    ones = torch.ones(rays.origins.shape[1])
    return importance_scores(field, rays, ones, objects.sampler.at(1.0), bounds=box, guide=guide)
