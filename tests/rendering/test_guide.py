"""Guides of fields at rest."""

import torch

from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.tree import Octree
from manyfields.fields.guide_places import MANY
from manyfields.rendering import densities, guide_of

CONFIG = OctreeConfig(first=3, last=4, features=8, hidden=16, view_frequencies=1)
BOX = torch.tensor([[[-0.8, -0.7, -0.9], [0.9, 0.8, 0.7]]])


def shell():
    """A field whose densities are not 0 near a sphere alone."""
    generator = torch.Generator().manual_seed(1)
    points = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1) * 0.6
    tree = Octree.of_points(points, CONFIG.first, CONFIG.last)
    table = torch.randn(sum(tree.corner_counts), CONFIG.features, generator=generator)
    return tree, OctreeFamily(CONFIG, generator).field(OctreeCodes((tree,), table))


def test_cells_of_octrees_have_their_mean_density_and_none_outside_the_hull():
    tree, field = shell()
    hull = tree.occupied(BOX[0], 12).to(torch.uint8)[None]
    guide = guide_of(field, BOX, hull)
    assert guide.shape == (1, 12, 12, 12) and (guide[hull == 0] == 0).all() and (guide[hull > 0] >= 1e-3).all()
    size = (BOX[0, 1] - BOX[0, 0]) / 12
    for cell in hull[0].nonzero()[::17]:
        asked = densities(field, (BOX[0, 0] + (cell + MANY.places) * size)[None])[0]
        torch.testing.assert_close(guide[0][tuple(cell)], asked.mean().clamp(min=1e-3), rtol=1e-4, atol=1e-4)
