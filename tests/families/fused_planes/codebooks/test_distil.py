"""Planes fitted through a codec's codebooks render better than the nearest entries, in no more bytes."""

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import RunError
from manyfields.families.fused_planes.codebooks.distil import Distillation, distil
from manyfields.families.fused_planes.codebooks.layers import VqMicroLayers
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

CONFIG = FusedPlanesConfig(4, 4, 2, 12, 16, channels=3, space="rgb", activation="relu", span="box", hull=8)
SAMPLER = Sampler(guided=8, bins=16)
BOUNDS = torch.tensor([[[-0.6, -0.6, -0.6], [0.6, 0.6, 0.6]]])


def pictures(shared, codes, cameras):
    """By samples of the kind that indices are fitted with."""
    return shared.pictures(codes, cameras[None], BOUNDS, SAMPLER, guide=shared.guide(codes, BOUNDS))


def scene():
    """A family with random codes, and views of the first object that it renders itself."""
    generator = torch.Generator().manual_seed(0)
    shared = SharedPart(FusedPlanes(CONFIG, generator), None).requires_grad_(False)
    codes = shared.family.new_codes(6, generator)
    hull = torch.zeros(6, 8, 8, 8, dtype=torch.uint8)
    hull[:, 1:7, 2:6, 1:7] = 1
    micro = 0.5 * torch.randn(6, *CONFIG.code_shapes()["micro"], generator=generator)
    codes = Codes({**codes.tensors, "hull": hull, "micro": micro})
    cameras = orbit(6, width=16, height=16)
    seen = pictures(shared, codes[0], cameras)
    images = (255 * seen.images[0].clamp(0, 1)).round().to(torch.uint8)
    item = FittingObject("thing", images, cameras, BOUNDS[0], None, list(range(6)), [], hull[0])
    codec = VqMicroLayers.of_codes(codes, CONFIG.layers, CONFIG.code_shapes(), (3,), groups=2)
    return shared, codes, item, codec


def error_of(shared, codes, item):
    seen = pictures(shared, codes, item.cameras)
    return float((255 * seen.images[0] - item.images.float()).square().mean())


def test_fitted_indices_render_better_than_nearest_ones():
    shared, codes, item, codec = scene()
    losses = []
    settings = Distillation(steps=60, rays=256, rate=0.05, price=0.0)
    fitted = distil(
        shared, codec, item, codes[0], SAMPLER, settings, after_step=lambda step, error: losses.append((step, error))
    )
    assert [step for step, _ in losses] == list(range(1, 61))
    gains = codec.gains(codes[0])
    stored = codec.decode(codec.layers_of(fitted, gains))
    torch.testing.assert_close(stored.tensors["micro"], fitted.tensors["micro"])  # what was fitted is what is stored
    nearest = codec.decode(codec.layers_of(codes[0]))
    assert error_of(shared, stored, item) < 0.8 * error_of(shared, nearest, item)
    again = distil(shared, codec, item, codes[0], SAMPLER, settings)
    assert torch.equal(again.tensors["micro"], fitted.tensors["micro"])


def test_a_price_saves_bytes():
    shared, codes, item, codec = scene()
    sizes = []
    for price in (0.0, 2.0):
        fitted = distil(shared, codec, item, codes[0], SAMPLER, Distillation(steps=20, rays=64, price=price))
        sizes.append(len(codec.layers_of(fitted, codec.gains(codes[0]))[0][-1]))
    assert sizes[1] < 0.9 * sizes[0]


def test_no_steps_are_the_nearest_entries():
    shared, codes, item, codec = scene()
    fitted = distil(shared, codec, item, codes[0], SAMPLER, Distillation(steps=0))
    assert codec.layers_of(fitted, codec.gains(codes[0])) == codec.layers_of(codes[0])


def test_what_has_diverged_is_named():
    shared, codes, item, codec = scene()
    shared.family.output.weight.fill_(float("nan"))
    with pytest.raises(RunError, match="object thing: its micro planes diverged at step 0"):
        distil(shared, codec, item, codes[0], SAMPLER, Distillation(steps=2, rays=64))
