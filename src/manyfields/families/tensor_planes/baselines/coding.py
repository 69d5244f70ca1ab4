"""Sweeps of what VQ-TensoRF and Re:TensoRF make of scenes of planes: one file an object and point."""

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields._io import write_atomic
from manyfields.cameras import Cameras, Rays
from manyfields.errors import ConfigError
from manyfields.evaluation.scores import mean_scores
from manyfields.families.tensor_planes.baselines.remove_and_reinclude import Pruning, remove_and_reinclude
from manyfields.families.tensor_planes.baselines.vq_file import decode_scene, encode_scene, part_sizes
from manyfields.families.tensor_planes.baselines.vq_fine_tuning import FineTuning, fine_tune
from manyfields.families.tensor_planes.baselines.vq_planes import VqScene, VqSplit
from manyfields.families.tensor_planes.grids import TensorCodes, TensorGrids
from manyfields.families.tensor_planes.importance import importance_scores
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.runs.building import takes_half
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Point, Sweep
from manyfields.shared_part import SharedPart

SHARE_OF_STEPS = 1 / 3  # of those of the fit: VQ-TensoRF takes 10,000 after TensoRF's 30,000
SHARE_OF_RATES = 1 / 4  # of those that the fit began with; it ended with a tenth
PIXELS = 128  # along the longer side of the views that importance is measured in: more would not tell more of texels
BITS_BESIDE_KEPT = 8  # the original's 12 are for planes of seven times as many texels

Told = Callable[[int, float], None]


class TensorFileSweep(Sweep):
    """Scenes of planes (kind 'vm'), fine-tuned to the views of the run as they are compressed."""

    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        config = source.collection.config["family"]
        if config["family"] != "tensorf" or config["kind"] != "vm":
            raise ConfigError(f"{source.run}: this codec is for tensor fields of kind 'vm'")
        self.source, self.seed = source, seed
        phase = source.record.phases1[0]
        self.tuning = FineTuning(
            steps=max(1, round(SHARE_OF_STEPS * phase.steps)) if steps is None else steps,
            rate=SHARE_OF_RATES * phase.codes_rate,
            network_rate=SHARE_OF_RATES * phase.fields_rate,
        )

    @abstractmethod
    def compressed(self, name: str, grids: TensorGrids, loss: SceneLoss, value: float, told: Told) -> VqScene:
        """One object at one value of the knob; the network of `loss` learns with it."""

    def point(self, value: float, folder: Path, progress: Progress) -> Point:
        files, scores, seconds = [], [], 0.0
        for name in self.source.objects:
            item = self.source.item(name)
            began = time.monotonic()
            data = self._encode(name, item, value, progress)
            seconds += time.monotonic() - began
            write_atomic(folder / f"{name}.mfvt", data)
            found = decode_scene(data)
            codes = TensorCodes((found.scene.grids(),))
            scores.append(self.source.scores(name, SharedPart(found.family, None), codes, found.scene.box))
            files.append(part_sizes(data))
        parts = {name: sum(sizes[name] for sizes in files) / len(files) for name in files[0]}
        return Point(parts, mean_scores(scores), seconds / len(files))

    def _encode(self, name: str, item: FittingObject, value: float, progress: Progress) -> bytes:
        settings, phase = self.source.record.settings, self.source.record.phases1[0]
        codes = self.source.collection[name].code()
        assert isinstance(codes, TensorCodes)
        (grids,) = codes.grids
        loss = SceneLoss(
            self.source.collection.shared_part,
            grids,
            item,
            settings.sampler.at(1.0),
            rays=phase.rays_per_object,
            half=takes_half(settings, torch.device("cpu")),
            seed=self.seed,
        )

        def told(done: int, error: float) -> None:
            progress(f"{name}: {self.knob} {value:g}", done, self.tuning.steps, rgb=error)

        scene = self.compressed(name, grids, loss, value, told)
        return encode_scene(loss.shared.family, scene)


class VqTensorSweep(TensorFileSweep):
    """VQ-TensoRF (Li et al. 2023). The knob is the size of codebooks, as in the papers' curves."""

    knob = "bits of a codebook"
    values: ClassVar[tuple[float, ...]] = (4, 6, 8, 10, 12)

    def split(self, value: float) -> VqSplit:
        if value != int(value):
            raise ConfigError(f"{self.knob}: {value} is no whole number")
        return VqSplit(bits=int(value))

    def compressed(self, name: str, grids: TensorGrids, loss: SceneLoss, value: float, told: Told) -> VqScene:
        split = self.split(value)
        importance = self._importance(grids, loss.data.objects[0].cameras)
        return fine_tune(loss, VqScene.of_grids(grids, importance, split, self.seed), self.tuning, after_step=told)

    def _importance(self, grids: TensorGrids, cameras: Cameras) -> tuple[Float[Tensor, "_ _"], ...]:
        shared, codes, box = self.source.collection.shared_part, TensorCodes((grids,)), grids.box[None]
        small = min(1.0, PIXELS / max(cameras.width, cameras.height))
        views = cameras.resized(max(1, round(small * cameras.width)), max(1, round(small * cameras.height)))
        sampler = self.source.record.settings.sampler.at(1.0)
        field, guide = shared.family.field(codes), shared.guide(codes, box)
        assert guide is not None
        rays = views.rays()
        rays = Rays(rays.origins.reshape(1, -1, 3), rays.directions.reshape(1, -1, 3))
        ones = torch.ones(rays.origins.shape[1])
        return importance_scores(field, rays, ones, sampler, bounds=box, guide=guide)


class VqKeptSweep(VqTensorSweep):
    """VQ-TensoRF with codebooks of one size. The knob is how much is kept beside them, which takes most bytes."""

    knob = "share of importance kept"
    values = (0.1, 0.3, 0.5, 0.7, 0.85)

    def split(self, value: float) -> VqSplit:
        return VqSplit(bits=BITS_BESIDE_KEPT, kept=value)


class ReTensorSweep(TensorFileSweep):
    """Re:TensoRF (Deng and Tartaglione 2023). The knob is the share of texels that is left."""

    knob = "share of texels left"
    values = (0.05, 0.1, 0.2, 0.3, 0.5)

    def compressed(self, name: str, grids: TensorGrids, loss: SceneLoss, value: float, told: Told) -> VqScene:
        return remove_and_reinclude(loss, grids, value, Pruning(), self.tuning, told)
