"""What pictures are sensitive to, against the Jacobian itself."""

import importlib

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.families.tensor_planes.pyramid.sensitivity import sensitivity
from manyfields.fitting.data import FittingObject
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.rendering import Sampler, render

SAMPLER = Sampler(guided=32)


@pytest.fixture
def column(tensors):
    shared = tensors.new_shared()
    codes = tensors.column(shared.family)
    codes.grids[0].density.planes[0].mul_(0.3)  # soft enough for colours to change smoothly
    cameras, box = orbit(4, width=12, height=12), codes.grids[0].box
    with torch.no_grad():
        seen = shared.pictures(codes, cameras[None], box[None], SAMPLER)
    images = (seen.images[0].clamp(0, 1) * 255).round().to(torch.uint8)
    item = FittingObject("column", images, cameras, box, None, list(range(4)), [])
    return SceneLoss(shared, codes.grids[0], item, SAMPLER, rays=64), codes.grids[0]


def test_it_is_the_square_of_the_jacobian(column, monkeypatch):
    loss, grids = column
    drawn = loss.data.pool.draw(torch.zeros(1, dtype=torch.int64), loss.rays, torch.Generator().manual_seed(0))
    monkeypatch.setattr(loss.data.pool, "draw", lambda *arguments: drawn)
    module = importlib.import_module("manyfields.families.tensor_planes.pyramid.sensitivity")
    monkeypatch.setattr(module, "render", lambda *fields, generator, **others: render(*fields, **others))  # no jitter
    found = sensitivity(loss, grids, 500)
    planes = [*grids.density.planes, *grids.appearance.planes]
    rays, _, weights = drawn

    def colors(*own):
        split = len(grids.density.planes)
        made = grids.with_tensors([*own[:split], *grids.density.vectors, *own[split:], *grids.appearance.vectors])
        field, white = loss.shared.family.field(made.codes()), loss.shared.background
        seen = render(field, rays, loss.sampler, bounds=loss.data.bounds, guide=loss.guide, background=white)
        return seen.channels[0]

    jacobian = torch.autograd.functional.jacobian(colors, tuple(planes))
    expected, texels = [], []
    for n in range(3):
        both = torch.cat([jacobian[n], jacobian[3 + n]], -1) * weights[0].sqrt().view(-1, 1, 1, 1, 1)
        expected.append(torch.einsum("rkhwa,rkhwb->ab", both, both) / loss.rays)
        texels.append(both.square().sum((0, 1, 4)) / loss.rays)
    one, two = found.components.flatten(), torch.stack(expected).flatten()
    assert float(torch.corrcoef(torch.stack([one, two]))[0, 1]) > 0.95
    assert float(one.norm() / two.norm()) == pytest.approx(1.0, abs=0.15)
    for own, other in zip(found.texels, texels, strict=True):
        assert float(own.sum() / other.sum()) == pytest.approx(1.0, abs=0.2)


def test_it_is_repeatable(column):
    loss, grids = column
    one, two = (sensitivity(loss, grids, 2, seed=4) for _ in range(2))
    assert torch.equal(one.components, two.components)
    assert not torch.equal(one.components, sensitivity(loss, grids, 2, seed=5).components)
