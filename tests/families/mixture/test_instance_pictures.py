"""Pictures of voxels against what a ball looks like, and of images against their values."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_pictures import instance_seen
from manyfields.fitting.instance_data import grid_points
from manyfields.rendering.solids import AMBIENT, COLOUR, solid_views

MIDDLE, RADIUS = torch.tensor([0.2, -0.1, 0.15]), 0.5


def ball(side: int = 64) -> torch.Tensor:
    distance = (grid_points(side, 3) - MIDDLE).norm(dim=1)
    return (0.5 + (RADIUS - distance) * side / 2).clamp(0.0, 1.0).view(side, side, side)


def test_a_ball_covers_what_rays_hit_of_it():
    cameras = orbit(3, width=48, height=48)
    seen = solid_views(ball(), cameras)
    rays = cameras.rays()
    origins, directions = rays.origins.reshape(3, -1, 3), rays.directions.reshape(3, -1, 3)
    to = MIDDLE - origins
    apart = (to - (to * directions).sum(2, keepdim=True) * directions).norm(dim=2).view(3, 48, 48)
    covered = (seen < 1.0).any(3)
    assert bool(covered[apart < RADIUS - 0.03].all()) and not bool(covered[apart > RADIUS + 0.03].any())


def test_it_is_lit_from_above_and_from_where_one_looks():
    seen = solid_views(ball(), orbit(1, elevation=10.0, width=64, height=64))[0]
    rows, columns = (seen[..., 0] < 1.0).nonzero().unbind(1)
    middle = int(columns.float().mean())
    top, bottom = int(rows.min()) + 4, int(rows.max()) - 4
    assert seen[top, middle, 0] > seen[bottom, middle, 0] + 0.2
    assert float(seen[..., 0].min()) >= AMBIENT * COLOUR[0] - 1e-5


def test_nothing_is_white():
    assert bool((solid_views(torch.zeros(8, 8, 8), orbit(1, width=8, height=8)) == 1.0).all())


@pytest.mark.parametrize("corner", [(20, 9, 14), (9, 14, 20), (14, 20, 9)])
def test_axes_are_not_mixed_up(corner):
    """A small cube is seen where its middle is projected to."""
    cells = torch.zeros(32, 32, 32)
    cells[tuple(slice(start, start + 4) for start in corner)] = 1.0
    middle = (torch.tensor(corner) + 2.0) / 16.0 - 1.0
    cameras = orbit(3, elevation=20.0, width=64, height=64)
    seen = solid_views(cells, cameras)[..., 0] < 1.0
    expected, _ = cameras.project(middle.expand(3, 1, 3))
    for view in range(3):
        rows, columns = seen[view].nonzero().float().mean(0)
        assert float((torch.stack([columns, rows]) + 0.5 - expected[view, 0]).norm()) < 1.5


def test_images_are_their_values():
    family = MixtureFamily(MixtureConfig("images", 1, 8, 4, 3), torch.Generator().manual_seed(0))
    latent = torch.randn(1, 3)
    seen = instance_seen(family, latent, orbit(2, width=6, height=6))
    values = family.values(latent, grid_points(6, 2)[None]).detach().view(1, 6, 6, 3)
    assert np.array_equal(seen, (values.clamp(0, 1).numpy() * 255).round().astype(np.uint8))


def test_voxels_from_all_sides():
    family = MixtureFamily(MixtureConfig("voxels", 1, 8, 4, 3), torch.Generator().manual_seed(0))
    seen = instance_seen(family, torch.randn(1, 3), orbit(3, width=8, height=8))
    assert seen.shape == (3, 8, 8, 3)
    with pytest.raises(ConfigError, match="size 0"):
        instance_seen(family, torch.randn(1, 3), replace(orbit(1, width=8, height=8), width=0))
