import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.baselines.remove_and_reinclude import Pruning, remove_and_reinclude
from manyfields.families.tensor_planes.baselines.vq_fine_tuning import FineTuning
from manyfields.families.tensor_planes.baselines.vq_planes import KEPT, PRUNED
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.rendering import Sampler

SAMPLER = Sampler(guided=12, bins=24)
TUNING = FineTuning(steps=9, rate=0.002, network_rate=0.0)


@pytest.fixture(scope="module")
def scene(tensors):
    """The column of constant density, and pictures of it: whatever is removed of it makes it worse."""
    shared = tensors.new_shared("vm", guide_side=16)
    codes = tensors.column(shared.family)
    (grids,) = codes.grids
    cameras = orbit(6, width=24, height=24)
    seen = shared.pictures(codes, cameras[None], grids.box[None], SAMPLER).images[0].detach().clamp(0, 1)
    images = (seen * 255).round().to(torch.uint8)
    return shared, grids, lambda: FittingObject("column", images, cameras, grids.box, None, list(range(6)), [])


def pruned(scene, left, **changes):
    shared, grids, item = scene
    loss = SceneLoss(shared, grids, item(), SAMPLER, rays=256)
    return loss, remove_and_reinclude(loss, grids, left, Pruning(rounds=2, batches=2, **changes), TUNING)


@pytest.mark.parametrize("left", [0.3, 0.6])
def test_the_share_that_was_asked_for_is_left(left, scene):
    _, made = pruned(scene, left)
    kinds = [plane.kinds for plane in made.planes[:3]]
    assert sum(int((each == KEPT).sum()) for each in kinds) == round(left * 3 * 12 * 12)
    assert all(bool(((each == KEPT) | (each == PRUNED)).all()) for each in kinds)
    assert all(torch.equal(a.kinds, b.kinds) for a, b in zip(made.planes[:3], made.planes[3:], strict=True))


def test_what_is_not_seen_goes_first(scene):
    shared, grids, item = scene
    loss, made = pruned(scene, 0.5)
    axis = torch.linspace(-0.5, 0.5, 12)
    disc = axis[:, None].square() + axis.square() < 0.45**2
    top = made.planes[0].kinds == KEPT
    assert top[disc].float().mean() > 2 * top[~disc].float().mean()
    nothing = TensorCodes((grids.with_tensors([torch.zeros_like(t) for t in grids.tensors]),)).grids[0]
    assert float(loss(made.grids(), "test", 0)) < 0.3 * float(loss(nothing, "test", 0))
    # The network that was handed in is not the one that learned.
    assert loss.shared.family is not shared.family


def test_shares_without_meaning_are_refused(scene):
    with pytest.raises(ConfigError, match=r"share of texels left 1.5"):
        pruned(scene, 1.5)
    with pytest.raises(ConfigError, match="reincluded"):
        Pruning(reincluded=1.0)
