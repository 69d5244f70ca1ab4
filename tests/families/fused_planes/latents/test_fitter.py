"""Transform coding of a set: a codec learned from some objects, and the latents of each against it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manyfields.cameras import orbit
from manyfields.compression.latent_pyramid import latents_that_count, sides_of
from manyfields.errors import ConfigError, RunError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.latents.fitter import fit_latents, learn_codec
from manyfields.families.fused_planes.latents.learning import LatentCode, Pyramid
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.families.fused_planes.stored_texels import texels_that_count
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

CONFIG = FusedPlanesConfig(4, 4, 2, 12, 16, channels=3, space="rgb", activation="relu", span="box", hull=8)
SAMPLER = Sampler(guided=8, bins=16)
BOUNDS = torch.tensor([[[-0.6, -0.6, -0.6], [0.6, 0.6, 0.6]]])
TINY = SetSettings(price=0.0, steps=60, visits=6, levels=3, coarse_every=0, rays=128, rate=0.1)


class Set:
    """Three objects with random codes, views that their family renders of them, and fainter codes to begin with."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.shared = SharedPart(FusedPlanes(CONFIG, draw), None).requires_grad_(False)
        hull = torch.zeros(3, 8, 8, 8, dtype=torch.uint8)
        hull[:, 1:7, 2:6, 1:7] = 1
        hull[1, 1:7] = 0
        hull[1, 2:6, 2:6, 2:6] = 1
        micro = 3 * torch.randn(3, *CONFIG.code_shapes()["micro"], generator=draw)
        self.codes = Codes({**self.shared.family.new_codes(3, draw).tensors, "hull": hull, "micro": micro})
        self.items = [self._item(row) for row in range(3)]
        self.codes = Codes({**self.codes.tensors, "micro": 0.3 * micro})

    def _item(self, row: int) -> FittingObject:
        cameras = orbit(6, width=16, height=16)
        seen = self.shared.pictures(self.codes[row], cameras[None], BOUNDS, SAMPLER)
        images = (255 * seen.images[0].clamp(0, 1)).round().to(torch.uint8)
        hull = self.codes.tensors["hull"][row]
        return FittingObject(f"thing{row}", images, cameras, BOUNDS[0], None, list(range(6)), [], hull)

    def loss(self, row: int, **changes) -> PlaneLoss:
        given = {"rays": TINY.rays, **changes}
        return PlaneLoss(self.shared, self.items[row], self.codes[row], SAMPLER, **given)

    def codec(self, settings: SetSettings = TINY, rows=(0, 1), seed: int = 0, after_step=None):
        codes = Codes.concatenate([self.codes[row] for row in rows])
        losses = [self.loss(row, rays=settings.rays, seed=seed) for row in rows]
        return learn_codec(losses, codes, CONFIG, settings, seed=seed, after_step=after_step)


@pytest.fixture
def things() -> Set:
    return Set()


@pytest.fixture(scope="module")
def _learned():
    return Set().codec()


def error_of(things: Set, codec, row: int, latents=None) -> float:
    """Of what the bytes of an object decode to, on rays that no step has drawn."""
    code = things.codes[row]
    stored = codec.decode(codec.layers_of(code, None if latents is None else [latents]))
    with torch.no_grad():
        return sum(float(things.loss(row)(stored.tensors["micro"][0], "test", draw)) for draw in range(6)) / 6


def same(one, two) -> bool:
    return all(np.array_equal(first, second) for first, second in zip(one, two, strict=True))


def tables(codec) -> list[np.ndarray]:
    return [codec.tensors()[name].clone().numpy() for name in sorted(codec.tensors())]


def test_learning_a_codec_lowers_the_error_of_its_objects(things):
    told = []
    settings = replace(TINY, visits=30)
    codec = things.codec(settings, after_step=lambda step, found: told.append((step, found["error"])))
    assert [step for step, _ in told] == list(range(1, 61))
    assert codec.pyramid.levels == 3 and codec.tables.classes.shape == (3, 4, 5, 5)
    errors = [error for _, error in told]
    assert np.mean(errors[-10:]) < 0.6 * np.mean(errors[:4])


def test_fitted_latents_of_an_object_that_the_codec_has_not_seen(things, _learned):
    told, before = [], tables(_learned)
    latents = fit_latents(
        things.loss(2), _learned, things.codes[2], TINY, lambda step, found: told.append((step, found["error"]))
    )
    assert [step for step, _ in told] == list(range(1, 61))
    assert same(tables(_learned), before)  # the codec stays as it is
    assert [own.shape for own in latents] == [(3, side, side, 4) for side in sides_of(12, 3)]
    reach = _learned.tables.reach
    masks = latents_that_count(texels_that_count(things.codes[2])[0], 3)
    for own, here in zip(latents, masks, strict=True):
        assert abs(own).max() <= reach and not own[~here.numpy()].any()
    assert error_of(things, _learned, 2, latents) < 0.6 * error_of(things, _learned, 2)
    again = fit_latents(things.loss(2), _learned, things.codes[2], TINY)
    assert same(again, latents)
    assert not same(fit_latents(things.loss(2, seed=1), _learned, things.codes[2], TINY), latents)


def test_coarse_steps_make_the_first_levels_worth_showing(things, _learned):
    code, told, errors = things.codes[2], [], []
    for every in (0, 3):
        settings = replace(TINY, coarse_every=every)
        latents = fit_latents(things.loss(2), _learned, code, settings, lambda step, found: told.append((step, *found)))
        coarse = _learned.decode([_learned.layers_of(code, [latents])[0][:-1]]).tensors["micro"][0]
        with torch.no_grad():
            errors.append(sum(float(things.loss(2)(coarse, "test", draw)) for draw in range(6)))
    assert errors[1] < 0.9 * errors[0]
    assert {name for _, name in told[:60]} == {"error"}
    assert [step for step, name in told[60:] if name == "coarse"] == list(range(1, 61, 3))


def test_no_steps_are_the_nearest_latents(things, _learned):
    latents = fit_latents(things.loss(2), _learned, things.codes[2], replace(TINY, steps=0))
    assert same(latents, _learned.nearest(things.codes[2]))


def test_a_higher_price_takes_fewer_bytes(things, _learned):
    sizes, errors = [], []
    for price in (0.0, 0.3, 30.0):
        latents = fit_latents(things.loss(2), _learned, things.codes[2], replace(TINY, price=price))
        sizes.append(sum(map(len, _learned.layers_of(things.codes[2], [latents])[0][2:])))
        errors.append(error_of(things, _learned, 2, latents))
    assert sizes == sorted(sizes, reverse=True) and sizes[2] < 0.6 * sizes[0]
    assert errors[0] < 0.7 * errors[2]


def test_the_same_seed_gives_the_same_codec(things, _learned):
    assert same(tables(things.codec()), tables(_learned))
    assert not same(tables(things.codec(seed=1)), tables(_learned))


def test_objects_without_a_texel(things, _learned):
    things.codes.tensors["hull"][1] = 0
    codec = things.codec(replace(TINY, visits=2))
    latents = fit_latents(things.loss(1), codec, things.codes[1], replace(TINY, steps=2))
    assert not any(own.any() for own in latents)
    assert codec.layers_of(things.codes[1], [latents])[0][2:] == [b"", b""]
    with pytest.raises(ConfigError, match="none of the objects has a texel to learn a codec from"):
        things.codec(rows=(1,))


def test_divergence_is_told(things, _learned):
    things.shared.family.output.weight.fill_(float("nan"))
    with pytest.raises(RunError, match="object thing2: transform coding diverged at step 0") as caught:
        fit_latents(things.loss(2), _learned, things.codes[2], TINY)
    assert "\n" not in str(caught.value)


def test_the_stored_pyramid_makes_the_planes_that_were_rendered(things, _learned):
    """Latents that learn are rendered as they are stored, but for the last bits of floats."""
    texels = texels_that_count(things.codes[2])[0]
    nearest = [torch.from_numpy(own) for own in _learned.nearest(things.codes[2])]
    own = LatentCode(nearest, texels)
    with torch.no_grad():
        for latents in own.latents:
            latents += 0.3  # rounded away
    rendered = own.planes(Pyramid.of(_learned.pyramid))
    stored = _learned.pyramid(nearest, 12) * texels[..., None]
    torch.testing.assert_close(rendered.detach(), stored, atol=2e-3, rtol=0)
    assert same(own.whole(_learned.tables.reach), [each.numpy() for each in nearest])


def test_gradients_go_straight_through_the_rounding(things, _learned):
    texels = texels_that_count(things.codes[2])[0]
    own = LatentCode([torch.from_numpy(each) for each in _learned.nearest(things.codes[2])], texels)
    pyramid = Pyramid.of(_learned.pyramid)
    weights = torch.randn(3, 12, 12, 4, generator=torch.Generator().manual_seed(3))
    (own.planes(pyramid) * weights).sum().backward()
    leaves = [latents.detach().clone().requires_grad_() for latents in own.latents]
    planes = pyramid(leaves, own.masks, 12) * texels[..., None]
    (planes * weights).sum().backward()
    for latents, leaf in zip(own.latents, leaves, strict=True):
        torch.testing.assert_close(latents.grad, leaf.grad)
    assert all(parameter.grad is None for parameter in pyramid.parameters())


def test_whole_numbers_of_a_pyramid_are_those_that_it_was_made_of(_learned):
    again = Pyramid.of(_learned.pyramid).whole()
    for one, two in ((again.mixes, _learned.pyramid.mixes), (again.kernels, _learned.pyramid.kernels)):
        assert all(torch.equal(first, second) for first, second in zip(one, two, strict=True))
