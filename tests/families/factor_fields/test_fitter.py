from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.fitter import FactorFitter, FactorSchedule
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.phases import Phase
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.rendering import Sampler

PHASE = Phase("factors", steps=150, rgb=1.0, codes_rate=0.05, fields_rate=1e-2, rays_per_object=256)
CUBE = torch.tensor([[-0.8] * 3, [0.8] * 3])


def new_fitter(factors, mask_at: tuple[float, ...] = (0.9,)) -> FactorFitter:
    """Of one object whose four views are all grey in the middle, white around it."""
    axis = torch.arange(16) - 7.5
    image = torch.where(axis[:, None].square() + axis.square() < 16, 60, 255).to(torch.uint8)
    images = image.expand(4, 3, 16, 16).contiguous()
    item = FittingObject("thing", images, orbit(4, width=16, height=16), CUBE.clone(), None, [0, 1, 2, 3], [])
    shared = factors.new_shared(replace(factors.CONFIG, guide_side=16))
    scene = LearnedScene(shared.family.new_grids(CUBE, factors.generator()))
    return FactorFitter(shared, FittingData([item]), [scene], Sampler(guided=12, bins=24), FactorSchedule(mask_at))


def test_a_fit_learns_and_masks_what_is_empty(factors):
    fitter = new_fitter(factors)
    fitter.begin(PHASE)
    losses = [fitter.step(PHASE, index)["rgb"] for index in range(PHASE.steps)]
    assert sum(losses[-5:]) < 0.25 * sum(losses[:5])
    (grids,) = fitter.codes_of([0]).grids
    assert 0 < int(grids.mask.sum()) < grids.mask.numel()
    assert bool((fitter.guides.values[0] > 0).eq(grids.mask > 0).all())
    assert torch.equal(grids.box, CUBE)


def test_a_fit_goes_on_from_its_state_with_the_same_bits(factors):
    whole = new_fitter(factors, (0.04,))
    whole.begin(PHASE)
    for index in range(8):
        if index == 4:
            held = {name: tensor.clone() for name, tensor in whole.state().items()}
        whole.step(PHASE, index)
    again = new_fitter(factors, (0.04,))
    again.load_shared(held)
    again.begin(PHASE)
    again.load(held)
    for index in range(4, 8):
        again.step(PHASE, index)
    after = again.state()
    assert all(torch.equal(tensor, after[name]) for name, tensor in whole.state().items())


def test_shares_without_meaning_are_refused():
    with pytest.raises(ConfigError, match="mask_at .*: shares of the steps"):
        FactorSchedule((1.5,))
