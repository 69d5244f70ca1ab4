"""The family of tensor fields, as the registry lists it."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from manyfields.families.family import Family
from manyfields.families.parts import no_parts
from manyfields.families.tensor_planes.baselines.codec import ReTensorCodec, VqKeptCodec, VqTensorCodec
from manyfields.families.tensor_planes.codec import TensorCodec
from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.families.tensor_planes.fitter import TensorFitter
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.settings import PRESETS, TensorSettings
from manyfields.families.tensor_planes.transform.codec import PretrainedCodec, TransformCodec
from manyfields.fields import resolution_of
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.progress import Progress
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.fitting.settings import takes_half
from manyfields.rendering.warping import forward_facing_map
from manyfields.shared_part import SharedPart


def new_shared(settings: TensorSettings, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart:
    """An untrained basis and network."""
    return SharedPart(TensorFamily(settings.config(), generator), None)


def new_fitter(
    settings: TensorSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> TensorFitter:
    """A fitter with random grids for each scene."""
    scenes = []
    for row, item in enumerate(data.objects):
        forward = forward_facing_map(item.cameras) if settings.scene == "forward" else None
        if forward is not None:
            # Neither box nor hull of the object's space, and no pixels left out by silhouettes: all of the map's cube.
            item.bounds, item.hull, item.pixels = torch.tensor([[-1.0] * 3, [1.0] * 3]), None, None
            data.bounds[row] = item.bounds
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "grids", item.id))
        resolution = resolution_of(item.bounds, settings.first)
        scenes.append(LearnedScene(replace(shared.family.new_grids(item.bounds, resolution, draw), map=forward)))
    half = takes_half(settings, data.device)
    return TensorFitter(shared, data, scenes, settings.sampler, settings, settings.seed, half)


FAMILY = Family(
    name="tensorf",
    config=TensorConfig,
    network=TensorFamily,
    settings=TensorSettings,
    presets=PRESETS,
    shares="network",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(TensorCodec, PyramidCodec, TransformCodec, PretrainedCodec, VqTensorCodec, VqKeptCodec, ReTensorCodec),
    parts=no_parts,
)
