from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.families.tensor_planes.fitter import TensorFitter, magnitude, variation
from manyfields.families.tensor_planes.grids import Factors
from manyfields.families.tensor_planes.schedule import TensorSchedule
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.phases import Phase
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.rendering import Sampler

PHASE = Phase("tensors", steps=150, rgb=1.0, codes_rate=0.05, fields_rate=5e-3, rays_per_object=256)
CUBE = torch.tensor([[-0.8] * 3, [0.8] * 3])
SCHEDULE = TensorSchedule(first=8, last=12, upsample_at=(0.5,), mask_at=(0.6,), sparsity=0.0, sparsity_after=0.0)


def new_fitter(tensors, image: torch.Tensor, schedule: TensorSchedule = SCHEDULE) -> TensorFitter:
    """Of one object whose four views are all the same image."""
    cameras = orbit(4, width=16, height=16)
    item = FittingObject(
        "thing", image.expand(4, 3, 16, 16).contiguous(), cameras, CUBE.clone(), None, [0, 1, 2, 3], []
    )
    shared = tensors.new_shared(guide_side=16)
    scene = LearnedScene(shared.family.new_grids(CUBE, (8, 8, 8), tensors.generator()))
    return TensorFitter(shared, FittingData([item]), [scene], Sampler(guided=12, bins=24), schedule)


def dark_disc() -> torch.Tensor:
    """Grey in the middle, white around it."""
    axis = torch.arange(16) - 7.5
    disc = axis[:, None].square() + axis.square() < 16
    return torch.where(disc, 60, 255).to(torch.uint8)


def test_a_fit_learns(tensors):
    fitter = new_fitter(tensors, dark_disc())
    fitter.begin(PHASE)
    losses = [fitter.step(PHASE, index)["rgb"] for index in range(PHASE.steps)]
    assert sum(losses[-5:]) < 0.25 * sum(losses[:5])


def test_rays_are_sampled_in_the_shrunk_box(tensors):
    fitter = new_fitter(tensors, dark_disc())
    (column,) = tensors.column(fitter.shared.family, side=24, radius=0.25).grids
    fitter.scenes[0].replace(replace(column, mask=fitter.guides.hulls[0].clone()))
    fitter.move_box(0, fitter.guides.values[0].clone())
    fitter._shrink(0)
    (grids,) = fitter.codes_of([0]).grids
    size = grids.box[1] - grids.box[0]
    assert float(size.min()) >= 0.5 and float(size.max()) < 0.95  # the box was 1 a side
    assert torch.equal(fitter.data.bounds[0], grids.box) and torch.equal(fitter.data.objects[0].bounds, grids.box)
    assert 0 < int(grids.mask.sum()) < grids.mask.numel()
    assert bool((fitter.guides.values[0] > 0).eq(grids.mask > 0).all())


def test_a_mask_that_comes_too_early_is_not_taken(tensors):
    """Before anything is learned all cells are faint: masked, they would never be asked again."""
    early = TensorSchedule(first=8, last=8, upsample_at=(), mask_at=(0.03,))
    fitter = new_fitter(tensors, torch.full((16, 16), 255, dtype=torch.uint8), early)
    slow = Phase("tensors", steps=40, rgb=1.0, codes_rate=1e-6, fields_rate=1e-6, rays_per_object=16)
    fitter.begin(slow)
    for index in range(3):
        fitter.step(slow, index)
    assert bool((fitter.codes_of([0]).grids[0].mask == 1).all())


def test_an_optimizer_is_rebuilt_when_grids_grow(tensors):
    fitter = new_fitter(tensors, dark_disc())
    fitter.begin(PHASE)
    for index in range(75):
        fitter.step(PHASE, index)
    before = fitter.scenes[0].optimizer
    fitter.step(PHASE, 75)
    assert fitter.scenes[0].optimizer is not before
    assert fitter.scenes[0].grids.resolution == (12, 12, 12)
    moments = [entry["exp_avg"].shape for entry in fitter.scenes[0].optimizer.state.values()]
    assert moments == [tensor.shape for tensor in fitter.scenes[0].grids.tensors]


def test_regularities_are_what_they_say():
    plane = torch.tensor([[0.0, 1.0], [2.0, -5.0]])[..., None]
    factors = Factors((plane, plane, plane), (torch.tensor([[1.0], [-3.0]]),) * 3)
    assert float(magnitude(factors)) == pytest.approx(3 * 2.0 + 3 * 2.0)
    rows, columns = (4.0 + 36.0) / 2, (1.0 + 49.0) / 2
    assert float(variation(factors)) == pytest.approx(0.02 * 3 * (rows + columns))
    assert float(variation(Factors((), factors.vectors))) == 0.0
