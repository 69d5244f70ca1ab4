"""The walk at rest: against a loop from its description, a plain form against the compiled one, and what it sees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.cameras import Rays
from manyfields.compiled import plain_only
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.tree import Octree
from manyfields.fields import Field, Samples
from manyfields.rendering import Occupancy, Sampler, guide_of, render
from manyfields.rendering.walking import next_samples, walk

BOUNDS = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]]])


def some_rays(seed: int, count: int = 60) -> Rays:
    generator = torch.Generator().manual_seed(seed)
    origins = torch.nn.functional.normalize(torch.randn(2, count, 3, generator=generator), dim=-1) * 2.7
    aims = 0.4 * torch.randn(2, count, 3, generator=generator)
    return Rays(origins, torch.nn.functional.normalize(aims - origins, dim=-1))


def some_cells(seed: int, side: int = 11) -> Occupancy:
    generator = torch.Generator().manual_seed(seed)
    return Occupancy.of(9.0 * (torch.rand(2, side, side, side, generator=generator) > 0.99) + 1e-3, BOUNDS)


def slow_ray(origin, direction, box, leaps, of_cell):
    """Distances of all samples of one ray: every step is looked up, none is leapt over."""
    with np.errstate(divide="ignore"):
        slabs = (box - origin) / direction
    near, far = max(slabs.min(0).max(), 0.0), slabs.max(0).min()
    cells = (box[1] - box[0]) / leaps.shape[0]
    stretch = 1 / (np.abs(direction / cells).max() * of_cell)
    found = []
    for step in range(int(np.ceil((far - near) / stretch)) if far > near else 0):
        distance = near + (step + 0.5) * stretch
        cell = np.clip(((origin + distance * direction - box[0]) / cells).astype(int), 0, leaps.shape[0] - 1)
        if leaps[tuple(cell)] == 0:
            found.append(distance)
    return np.array(found), stretch


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), of_cell=st.integers(1, 4), compiled=st.booleans())
def test_no_cell_that_may_be_filled_is_leapt_over(seed, of_cell, compiled):
    rays, occupancy = some_rays(seed), some_cells(seed)
    at, found = torch.zeros(2, 60, dtype=torch.int32), []
    while not found or bool((found[-1][1] > 0).any()):
        inputs = (rays.origins, rays.directions, BOUNDS, occupancy, of_cell, at, 5)
        if compiled:
            *samples, at = next_samples(*inputs)
        else:
            with plain_only():
                *samples, at = next_samples(*inputs)
        found.append(samples)
    distances, lengths = (torch.cat(parts, -1).numpy() for parts in zip(*found, strict=True))
    different = 0
    for row in range(2):
        for ray in range(60):
            origin, direction = rays.origins[row, ray].double().numpy(), rays.directions[row, ray].double().numpy()
            box, leaps = BOUNDS[row].double().numpy(), occupancy.leaps[row].numpy()
            expected, stretch = slow_ray(origin, direction, box, leaps, of_cell)
            own = distances[row, ray][lengths[row, ray] > 0]
            # A sample on the border of two cells may be in either: such rays are few.
            if len(own) != len(expected) or not np.allclose(own, expected, atol=1e-4):
                different += 1
            elif len(own):
                np.testing.assert_allclose(lengths[row, ray][lengths[row, ray] > 0], stretch, rtol=1e-4)
    assert different <= 6


def planes() -> tuple:
    config = FusedPlanesConfig(2, 3, 4, resolution=6, hidden=8, channels=3, space="rgb", span="box", hull=11,
                               activation="relu", view_degree=1)  # fmt: skip
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    codes.tensors["micro"] *= 20
    return family.field(codes, None, BOUNDS), BOUNDS


def octrees() -> tuple:
    config = OctreeConfig(first=3, last=4, features=16, hidden=16, view_frequencies=1)
    generator = torch.Generator().manual_seed(1)
    points = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1) * 0.6
    tree = Octree.of_points(points, config.first, config.last)
    table = torch.randn(2 * sum(tree.corner_counts), config.features, generator=generator)
    box = torch.tensor([[[-0.8, -0.7, -0.9], [0.9, 0.8, 0.7]]]).expand(2, 2, 3).contiguous()
    return OctreeFamily(config, generator).field(OctreeCodes((tree, tree), table)), box


@pytest.mark.parametrize("made", [planes, octrees])
def test_one_kernel_sees_what_the_plain_walk_sees(made):
    pytest.importorskip("numba")
    field, bounds = made()
    rays, occupancy = some_rays(3, 300), Occupancy.of(some_cells(3).leaps.eq(0) * 9.0, bounds)
    fast = walk(field, rays, bounds, occupancy, 33)
    with plain_only():
        plain = walk(field, rays, bounds, occupancy, 33)
    assert float(fast[1].max()) > 0.3
    for ours, theirs in zip(fast, plain, strict=True):
        same = (ours - theirs).abs() < 3e-3
        assert float(same.float().mean()) > 0.97


class Plate(Field):
    """A plate thinner than a cell, opaque from everywhere, with air around it."""

    channels = 1

    def __call__(self, points, directions=None):
        inside = (points[..., 2].abs() < 0.02) & (points[..., :2].abs().amax(-1) < 0.8)
        return Samples(300.0 * inside, torch.ones(*points.shape[:2], 1))


def test_a_thin_plate_has_no_holes_at_grazing_angles():
    bounds = torch.tensor([[[-0.9, -0.9, -0.9], [0.9, 0.9, 0.9]]])
    guide = guide_of(Plate(), bounds, None, 45)
    heights = torch.linspace(0.02, 1.2, 200)  # of cameras: from along the plate to steep
    aims = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    aims[:, 2] = 0
    origins = torch.stack([torch.full((200,), -2.5), torch.zeros(200), heights], -1)
    rays = Rays(origins[None], torch.nn.functional.normalize(aims - origins, dim=-1)[None])
    seen = render(Plate(), rays, Sampler(across=180), bounds=bounds, guide=Occupancy.of(guide, bounds))
    assert float(seen.opacity.min()) > 0.9


def test_what_a_ray_sees_does_not_depend_on_what_lies_behind_or_on_the_rays_beside_it():
    field, bounds = planes()
    rays, occupancy = some_rays(5, 100), Occupancy(torch.zeros(2, 11, 11, 11, dtype=torch.uint8))
    whole = walk(field, rays, bounds, occupancy, 22)
    alone = walk(field, Rays(rays.origins[:, 40:41], rays.directions[:, 40:41]), bounds, occupancy, 22)
    for together, single in zip(whole, alone, strict=True):
        torch.testing.assert_close(together[:, 40:41], single)


def test_a_walk_through_nothing_sees_the_background():
    field, bounds = planes()
    nothing = Occupancy.of(torch.zeros(2, 11, 11, 11), bounds)
    seen = render(field, some_rays(1), Sampler(), bounds=bounds, guide=nothing, background=torch.full((3,), 0.25))
    assert not seen.opacity.any() and bool((seen.channels == 0.25).all())
    with pytest.raises(ValueError, match="give its bounds"):
        render(field, some_rays(1), Sampler(), guide=nothing)


def test_steps_are_shares_of_the_box_whatever_its_cells():
    field, bounds = planes()
    rays = some_rays(7, 80)
    coarse, fine = (Occupancy(torch.zeros(2, side, side, side, dtype=torch.uint8)) for side in (8, 64))
    for ours, theirs in zip(walk(field, rays, bounds, coarse, 128), walk(field, rays, bounds, fine, 128), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
