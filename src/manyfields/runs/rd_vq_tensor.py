"""Sweeps of VQ-TensoRF (Li et al. 2023): the knob is the size of codebooks, as in the papers' curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields._io import write_atomic
from manyfields.cameras import Cameras
from manyfields.compression.vq_planes import VqScene, VqSplit
from manyfields.compression.vq_tensor_file import decode_scene, encode_scene, part_sizes
from manyfields.errors import ConfigError
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fields import TensorCodes, TensorGrids
from manyfields.fitting.fitter import has_fast_bf16
from manyfields.fitting.texel_importance import texel_importance
from manyfields.fitting.vq_fine_tuning import FineTuning, fine_tune
from manyfields.latents import SharedPart
from manyfields.runs.rd_source import RdSource
from manyfields.runs.trainer import Progress

SHARE_OF_STEPS = 1 / 3  # of those of the fit: VQ-TensoRF takes 10,000 after TensoRF's 30,000
PIXELS = 128  # along the longer side of the views that importance is measured in: no more tell of texels


class VqTensorSweep:
    """Points of one codebook size each, on scenes of planes (kind 'vm')."""

    knob: ClassVar[str] = "bits of a codebook"
    values: ClassVar[tuple[float, ...]] = (4, 6, 8, 10, 12)

    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        config = source.collection.config["family"]
        if config["family"] != "tensorf" or config["kind"] != "vm":
            raise ConfigError(f"{source.run}: codec 'vq-tensorf' is for tensor fields of kind 'vm'")
        self.source, self.seed = source, seed
        phase, settings = source.record.phases1[0], source.record.settings
        self.tuning = FineTuning(
            steps=max(1, round(SHARE_OF_STEPS * phase.steps)) if steps is None else steps,
            rays=phase.rays_per_object,
            rate=0.25 * phase.codes_rate,
            network_rate=0.25 * phase.fields_rate,
            half=settings.precision == "bf16" or (settings.precision == "auto" and has_fast_bf16(torch.device("cpu"))),
        )
        self._importance: dict[str, tuple[Float[Tensor, "_ _"], ...]] = {}

    def point(self, value: float, folder: Path, progress: Progress) -> tuple[float, Scores, Mapping[str, float]]:
        if value != int(value):
            raise ConfigError(f"{self.knob}: {value} is no whole number")
        split = VqSplit(bits=int(value))
        files, scores = [], []
        for name in self.source.objects:
            data = self._encode(name, split, progress)
            write_atomic(folder / f"{name}.mfvt", data)
            found = decode_scene(data)
            codes = TensorCodes((found.scene.grids(),))
            scores.append(self.source.scores(name, SharedPart(found.family, None), codes, found.scene.box))
            files.append(part_sizes(data))
        parts = {name: sum(sizes[name] for sizes in files) / len(files) for name in files[0]}
        return sum(parts.values()), mean_scores(scores), parts

    def _encode(self, name: str, split: VqSplit, progress: Progress) -> bytes:
        shared, item = self.source.collection.shared_part, self.source.item(name)
        codes = self.source.collection[name].code()
        assert isinstance(codes, TensorCodes)
        (grids,) = codes.grids
        scene = VqScene.of_grids(grids, self._importance_of(name, grids, item.cameras), split, self.seed)

        def after_step(done: int, error: float) -> None:
            progress(f"{name}: {split.bits} bits", done, self.tuning.steps, rgb=error)

        sampler = self.source.record.settings.sampler.at(1.0)
        family, tuned = fine_tune(shared, scene, item, sampler, self.tuning, seed=self.seed, after_step=after_step)
        return encode_scene(family, tuned)

    def _importance_of(self, name: str, grids: TensorGrids, cameras: Cameras) -> tuple[Float[Tensor, "_ _"], ...]:
        if name not in self._importance:
            shared, codes = self.source.collection.shared_part, TensorCodes((grids,))
            box = grids.box[None]
            small = min(1.0, PIXELS / max(cameras.width, cameras.height))
            views = cameras.resized(max(1, round(small * cameras.width)), max(1, round(small * cameras.height)))
            sampler = self.source.record.settings.sampler.at(1.0)
            field = shared.family.field(codes)
            self._importance[name] = texel_importance(field, views, box, shared.guide(codes, box), sampler)
        return self._importance[name]
