"""Scenes of tensor fields to pyramids of latents, and what pictures are sensitive to."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import CollectionError, ConfigError
from manyfields.families.tensor_planes.pyramid.fitter import scene_of
from manyfields.families.tensor_planes.pyramid.scene import texels_read
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.families.tensor_planes.pyramid.stream import encode_pyramid
from manyfields.families.tensor_planes.stacked_planes import stacked_planes


def errors(of, made) -> list[torch.Tensor]:
    found = made.grids(0)  # none has a network
    return [one - two for one, two in zip(stacked_planes(of), stacked_planes(found), strict=True)]


def test_smaller_steps_are_nearer_and_larger(pyramids):
    of, wide = pyramids.grids(), []
    for price in (1.6, 0.8, 0.4):
        made = pyramids.scene(of=of, price=price)
        error = sum(float(own.square().sum()) for own in errors(of, made))
        wide.append((len(encode_pyramid(made)), error))
    assert wide[0][0] < wide[1][0] < wide[2][0]
    assert wide[0][1] > 2 * wide[1][1] > 6 * wide[2][1] > 0


def test_errors_are_alike_in_all_directions_that_pictures_see(pyramids):
    """Whitened by what pictures are sensitive to, errors have the same size in every direction: no step is wasted."""
    of, found = pyramids.grids(), pyramids.seen()
    made = pyramids.scene(of=of, price=0.3, gain_power=0.0, rounding=0.5)
    for error, squares in zip(errors(of, made), found.components, strict=True):
        values, vectors = torch.linalg.eigh(squares)
        seen_errors = (error.flatten(1).T @ vectors) * values.sqrt()
        sizes = seen_errors.square().mean(0).sqrt()
        assert float(sizes.max() / sizes.min()) < 1.5
        assert float(sizes.mean()) == pytest.approx(0.3 / 12**0.5, rel=0.3)


def test_gains_spend_bytes_where_texels_are_seen(pyramids):
    of, found = pyramids.grids(), pyramids.seen()
    halves = tuple(
        torch.where(torch.arange(own.shape[1]) < own.shape[1] // 2, 4.0, 0.1).expand_as(own) for own in found.texels
    )
    found = replace(found, texels=halves)
    shares = []
    for power in (0.0, 0.5):
        made = scene_of(of, found, PyramidSettings(price=0.4, gain_power=power, rounding=0.5))
        error = errors(of, made)[0].square().mean(0)
        shares.append(float(error[:, :4].mean() / error[:, -4:].mean()))
    assert shares[0] == pytest.approx(1.0, abs=0.3)
    assert shares[1] < 0.2 * shares[0]  # with all of the power: as 0.1 to 4, where latents are not too small


def test_texels_outside_of_the_alpha_mask_have_no_latents(pyramids):
    of = pyramids.grids()
    mask = torch.zeros_like(of.mask)
    mask[2:4, 3:5, 1:3] = 1
    made = pyramids.scene(of=replace(of, mask=mask))
    texels = texels_read(mask, of.resolution)
    for plane, here in zip(stacked_planes(made.grids(pyramids.CONFIG.numbers)), texels, strict=True):
        assert not bool(plane[:, ~here[: plane.shape[1], : plane.shape[2]]].any())
    assert len(encode_pyramid(made)) < 0.7 * len(encode_pyramid(pyramids.scene(of=of)))


def test_vectors_come_back_in_their_places(pyramids):
    of = pyramids.grids()
    found = pyramids.scene(of=of, vector_share=0.001).grids(pyramids.CONFIG.numbers)
    for own, other in zip(
        (*of.density.vectors, *of.appearance.vectors), (*found.density.vectors, *found.appearance.vectors), strict=True
    ):
        torch.testing.assert_close(own, other, atol=0.005, rtol=0)


def test_choices_and_scenes_that_do_not_fit(pyramids):
    with pytest.raises(ConfigError, match="step 0"):
        PyramidSettings(price=0)
    with pytest.raises(ConfigError, match="levels 9"):
        PyramidSettings(levels=9)
    with pytest.raises(ConfigError, match="rounding 0.6"):
        PyramidSettings(rounding=0.6)
    with pytest.raises(
        ConfigError, match=r"step 0.001: latents of up to \d+, where the format has 127: take a step of"
    ):
        pyramids.scene(price=0.001)
    of = pyramids.grids()
    of.density.vectors[0][0] = float("nan")
    with pytest.raises(CollectionError, match="vectors: NaN"):
        pyramids.scene(of=of, price=0.5)


def test_channels_of_the_fixture(pyramids):
    assert pyramids.CHANNELS == 12 and len(pyramids.family().numbers()) == pyramids.CONFIG.numbers
