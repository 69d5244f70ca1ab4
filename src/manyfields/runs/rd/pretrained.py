"""Sweeps of transform coding by codecs that are learned from other scenes, one for each lambda."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyfields.collection.tensors import write_part
from manyfields.compression.transform.latents import kept_latents
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.grids import FactorGrids
from manyfields.families.factor_fields.transform.scene import CodedFactors
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.other_scenes import OtherScenes, common_of
from manyfields.families.tensor_planes.transform.scene import CodedScene
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress
from manyfields.fitting.transform.latents import bytes_by_tables
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.transform import Told, TransformSweep


class PretrainedSweep(TransformSweep):
    """Scenes of planes by an encoder alone, or with `steps` of their latents (section 5.1 of Neural NeRF Compression).

    The codec's file counts as the network does: divided by the scenes of the run.
    """

    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        super().__init__(source, source.learn_steps, seed)
        if not isinstance(source.collection.shared_part.family.config, TensorConfig):
            raise ConfigError(f"{source.run}: codecs that are learned from other scenes are for tensor fields alone")
        self.others = OtherScenes(source.collection, source.others)
        for other in self.others.collections:
            if common_of(other) is not None:
                raise ConfigError(f"{other.path} holds a learned codec; a curve needs one for each lambda: give runs")
        self.steps = steps or 0
        self._learned: LearnedTransform | None = None

    def made_of(self) -> Mapping[str, Any]:
        return {"learned_from": self.others.hashes, "learn_steps": self.source.learn_steps}

    def begin(self, settings: TransformSettings, folder: Path, progress: Progress) -> dict[str, int]:
        learned = self.others.codec(settings, self.seed, progress)
        config = self.source.collection.shared_part.family.config
        self._learned, self.codec = learned, TransformCodec(config, learned.common)
        codec = write_part(folder, "codec", learned.common.tensors(), learned.common.config())
        write_part(folder, "encoder", learned.encoder_tensors(), {})
        return {**super().begin(settings, folder, progress), "codec": codec.bytes}

    def coded(
        self, item: FittingObject, grids: TensorGrids | FactorGrids, settings: TransformSettings, told: Told
    ) -> tuple[CodedScene | CodedFactors, float]:
        learned = self._learned
        assert learned is not None and isinstance(grids, TensorGrids)
        scene = learned.coded(grids, settings)
        if self.steps:
            sampler, settings = self.source.record.settings.sampler.at(1.0), replace(settings, steps=self.steps)
            fitter = TransformFitter(self.shared, item, grids, sampler, settings, self.seed, learned, self.half)
            scene = fitter.run(told)
        return scene, bytes_by_tables(scene.tables, kept_latents(scene.latents, scene.masks))
