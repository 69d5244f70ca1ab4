"""The error of one object's planes against its training pixels."""

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.plane_loss import LEAST, PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

CONFIG = FusedPlanesConfig(3, 4, 2, 10, 16, channels=3, space="rgb", activation="relu", span="box", hull=8)
SAMPLER = Sampler(guided=8, bins=16)
BOUNDS = torch.tensor([[[-0.6, -0.6, -0.6], [0.6, 0.6, 0.6]]])


@pytest.fixture
def made():
    """A loss of an object whose views are those that its own code renders."""
    draw = torch.Generator().manual_seed(0)
    shared = SharedPart(FusedPlanes(CONFIG, draw), None).requires_grad_(False)
    hull = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    hull[:, 1:7, 2:6, 1:7] = 1
    micro = 0.5 * torch.randn(1, 3, 10, 10, 3, generator=draw)
    code = Codes({**shared.family.new_codes(1, draw).tensors, "hull": hull, "micro": micro})
    cameras = orbit(4, width=16, height=16)
    # By samples of the kind that the loss takes.
    seen = shared.pictures(code, cameras[None], BOUNDS, SAMPLER, guide=shared.guide(code, BOUNDS))
    images = (255 * seen.images[0].clamp(0, 1)).round()
    item = FittingObject("thing", images.to(torch.uint8), cameras, BOUNDS[0], None, list(range(4)), [], hull[0])
    return shared, item, code


def test_its_own_planes_have_next_to_no_error(made):
    loss = PlaneLoss(*made[:2], made[2], SAMPLER, rays=256)
    assert LEAST <= loss.before < 2e-5  # images are rounded to 8 bits
    other = loss.micro + torch.randn(loss.micro.shape, generator=torch.Generator().manual_seed(1))
    assert float(loss(other, "test", 0)) > 20 * loss.before


def test_pixels_depend_on_seed_purpose_object_and_step_alone(made):
    shared, item, code = made
    loss, again = (PlaneLoss(shared, item, code, SAMPLER, rays=32) for _ in range(2))
    planes = loss.micro + 0.3
    first = float(loss(planes, "latents", 3))
    assert float(again(planes, "latents", 3)) == first
    other = PlaneLoss(shared, item, code, SAMPLER, rays=32, seed=1)
    found = {
        first,
        float(loss(planes, "latents", 4)),
        float(loss(planes, "test", 3)),
        float(other(planes, "latents", 3)),
    }
    assert len(found) == 4


def test_planes_get_gradients(made):
    loss = PlaneLoss(*made[:2], made[2], SAMPLER, rays=256)
    planes = (loss.micro + 0.3).requires_grad_()
    loss(planes, "test", 0).backward()
    step = 1e-3 * planes.grad / planes.grad.norm()
    with torch.no_grad():
        before, after = (float(loss(planes + sign * step, "test", 0)) for sign in (-1, 1))
    assert after - before == pytest.approx(2e-3 * float(planes.grad.norm()), rel=0.05)


def test_planes_of_latent_images_are_not_fitted_to_pixels(made):
    _, item, code = made
    torch.manual_seed(0)
    autoencoder = compact_autoencoder(CompactConfig(4, 4, 8, 1, 1, 8))
    shared = SharedPart(FusedPlanes(FusedPlanesConfig(3, 4, 2, 10, 16, channels=4)), autoencoder)
    with pytest.raises(ValueError, match="planes in a latent space are not fitted to pixels"):
        PlaneLoss(shared, item, code, SAMPLER)
