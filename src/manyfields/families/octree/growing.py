"""Octrees of objects without depth images: a coarse fit within the visual hull says where surfaces are."""

from dataclasses import replace

import torch

from manyfields.families.octree.building import FINER, octree_of, octree_of_points
from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.octree.surface_points import points_of_field
from manyfields.families.octree.tree import Octree
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler, guide_of
from manyfields.shared_part import SharedPart

COARSE = Phase("coarse", steps=300, rgb=1.0, codes_rate=0.03, fields_rate=2e-3, rays_per_object=4096)


def grown_octree(
    item: FittingObject, config: OctreeConfig, sampler: Sampler, seed: int = 0, backgrounds: float = 0.0
) -> Octree:
    """The octree of an object's depth images; without them, of what a fit of its coarsest levels shows.

    Finer levels grow where samples of training rays count for something in their colours. The same seed and views give
    the same octree. `backgrounds`: as phases have it. Raises ViewError where a depth image cannot be read.
    """
    tree = octree_of(item, config)
    if all(tree.corner_counts):
        return tree
    draw = torch.Generator().manual_seed(stable_seed(seed, "coarse", item.id))
    shared = SharedPart(OctreeFamily(config, draw), None)
    code = OctreeCode.of_features(tree, config.features, draw)
    fitter = OctreeFitter(shared, FittingData([item]), [code], sampler, seed)
    phase = replace(COARSE, backgrounds=backgrounds)
    fitter.begin(phase)
    fitter.run(phase)
    with torch.no_grad():
        field = shared.family.field(OctreeCodes((tree,), code.table.detach()))
        hull, side = fitter.guides.hulls, config.guide_side
        points = points_of_field(
            field,
            item.cameras,
            sampler,
            guide=guide_of(field, item.bounds[None], hull, side),
            bounds=item.bounds[None],
            level=config.last + FINER,
            pixels=None if item.pixels is None else torch.unique(item.pixels[0]),
        )
    return octree_of_points(points, config)
