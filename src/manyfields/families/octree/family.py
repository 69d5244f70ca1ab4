"""The family of octree fields, as the registry lists it."""

from collections.abc import Sequence

import torch

from manyfields.families.family import Family
from manyfields.families.octree.coding import OctreeVqCodec
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.growing import grown_octree
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.octree.settings import PRESETS, OctreeSettings
from manyfields.families.octree.stream.codec import OctreeCodec
from manyfields.families.octree.stream.form import OctreeStream
from manyfields.families.parts import no_parts
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.progress import Progress
from manyfields.shared_part import SharedPart


def new_shared(settings: OctreeSettings, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart:
    """An untrained network."""
    return SharedPart(OctreeFamily(settings.config(), generator), None)


def new_fitter(
    settings: OctreeSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> OctreeFitter:
    """A fitter with an octree for each object, grown from its views."""
    config = shared.family.config
    codes: list[OctreeCode] = []
    for row, item in enumerate(data.objects):
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "features", item.id))
        tree = grown_octree(item, config, settings.sampler, settings.seed, settings.stage1[0].backgrounds)
        codes.append(OctreeCode.of_features(tree, config.features, draw, settings.finer_rate))
        progress("growing octrees", row + 1, len(data))
    return OctreeFitter(shared, data, codes, settings.sampler, settings.seed, settings.indices())


FAMILY = Family(
    name="octree",
    config=OctreeConfig,
    network=OctreeFamily,
    settings=OctreeSettings,
    presets=PRESETS,
    shares="network",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(OctreeCodec, OctreeVqCodec),
    parts=no_parts,
    stream=OctreeStream(),
)
