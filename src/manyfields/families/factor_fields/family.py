"""The family of factor fields, as the registry lists it."""

from collections.abc import Sequence

import torch

from manyfields.families.factor_fields.codec import FactorCodec
from manyfields.families.factor_fields.field import FactorConfig, FactorFamily
from manyfields.families.factor_fields.fitter import FactorFitter
from manyfields.families.factor_fields.settings import PRESETS, FactorSettings
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.family import Family
from manyfields.families.parts import no_parts
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.progress import Progress
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.fitting.settings import takes_half
from manyfields.shared_part import SharedPart


def new_shared(settings: FactorSettings, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart:
    """Untrained networks."""
    return SharedPart(FactorFamily(settings.config(), generator), None)


def new_fitter(
    settings: FactorSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> FactorFitter:
    """A fitter with random grids for each scene."""
    scenes = []
    for item in data.objects:
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "grids", item.id))
        scenes.append(LearnedScene(shared.family.new_grids(item.bounds, draw)))
    half = takes_half(settings, data.device)
    return FactorFitter(shared, data, scenes, settings.sampler, settings, settings.seed, half)


FAMILY = Family(
    name="factor-fields",
    config=FactorConfig,
    network=FactorFamily,
    settings=FactorSettings,
    presets=PRESETS,
    shares="network",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(FactorCodec, FactorTransformCodec),
    parts=no_parts,
)
