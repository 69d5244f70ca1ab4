from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import RunError
from manyfields.families.tensor_planes.baselines.vq_fine_tuning import FineTuning, fine_tune
from manyfields.families.tensor_planes.baselines.vq_planes import VqScene, VqSplit
from manyfields.fitting.data import FittingObject
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.rendering import Sampler

SAMPLER = Sampler(guided=12, bins=24)
TUNING = FineTuning(steps=30, rate=0.02, network_rate=0.05)


@pytest.fixture(scope="module")
def start(tensors):
    """A column, pictures of it, and what codebooks of two entries leave of it."""
    shared = tensors.new_shared("vm", guide_side=16)
    (grids,) = tensors.column(shared.family).grids
    cameras = orbit(6, width=24, height=24)
    codes = tensors.column(shared.family)
    seen = shared.pictures(codes, cameras[None], grids.box[None], SAMPLER).images[0].detach().clamp(0, 1)
    item = FittingObject("column", (seen * 255).round().to(torch.uint8), cameras, grids.box, None, list(range(6)), [])
    importance = [torch.ones(plane.shape[:2]) for plane in grids.density.planes]
    scene = VqScene.of_grids(grids, importance, VqSplit(bits=1, pruned=0.0, kept=0.0))

    def new_loss() -> SceneLoss:
        loss = SceneLoss(shared, grids, replace(item), SAMPLER, rays=256)
        with torch.no_grad():
            loss.shared.family.output.bias += 0.5  # colours that are wrong: something to learn
        return loss

    return new_loss, scene, shared


def errors(loss, scene) -> float:
    return sum(float(loss(scene.grids(), "test", step)) for step in range(4))


def test_numbers_and_network_learn_together_and_indices_stay(start):
    new_loss, scene, shared = start
    loss, told = new_loss(), []
    before = errors(loss, scene)
    tuned = fine_tune(loss, scene, TUNING, after_step=lambda done, error: told.append(done))
    assert errors(loss, tuned) < 0.5 * before
    # Entries of appearance and its vectors have learned as well.
    assert not torch.equal(tuned.numbers[3], scene.numbers[3]) and not torch.equal(tuned.numbers[15], scene.numbers[15])
    assert told == list(range(1, 31))
    assert all(torch.equal(a.indices, b.indices) for a, b in zip(tuned.planes, scene.planes, strict=True))
    assert not any(number.requires_grad for number in tuned.numbers)
    assert bool((shared.family.output.bias == 0).all())  # that of the collection stays as it is
    # The same again, from the same start.
    again = fine_tune(new_loss(), scene, TUNING)
    assert all(torch.equal(a, b) for a, b in zip(again.numbers, tuned.numbers, strict=True))


def test_rates_of_zero_change_nothing(start):
    new_loss, scene, _ = start
    tuned = fine_tune(new_loss(), scene, FineTuning(steps=2, rate=0.0, network_rate=0.0))
    assert all(torch.equal(a, b) for a, b in zip(tuned.numbers, scene.numbers, strict=True))


def test_numbers_that_diverge_are_told(start):
    new_loss, scene, _ = start
    broken = scene.with_numbers([torch.full_like(number, torch.nan) for number in scene.numbers])
    with pytest.raises(RunError, match="object column: its compressed planes diverged at step 0"):
        fine_tune(new_loss(), broken, TUNING)
