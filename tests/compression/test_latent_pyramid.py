"""Micro planes from a pyramid of latents."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import manyfields
from manyfields.compression.latent_pyramid import (
    LARGEST,
    LEVELS,
    UNIT,
    WholePyramid,
    bilinear_kernel,
    finer,
    latents_that_count,
    most_levels,
    nearest_latents,
    sides_of,
)

FEATURES, SIDE = 3, 13


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_pyramid(levels: int = 3, features: int = FEATURES, seed: int = 0):
    noise = draw(seed)
    mixes = [torch.eye(features) + 0.3 * torch.randn(features, features, generator=noise) for _ in range(levels)]
    kernels = [
        bilinear_kernel(features) + 0.1 * torch.randn(features, features, 3, 3, generator=noise)
        for _ in range(levels - 1)
    ]
    return mixes, kernels


def random_latents(levels: int = 3, side: int = SIDE, features: int = FEATURES, seed: int = 1, most: int = 5):
    noise = draw(seed)
    return [torch.randint(-most, most + 1, (3, own, own, features), generator=noise) for own in sides_of(side, levels)]


def test_sides():
    assert sides_of(64, 4) == (9, 17, 33, 64) and sides_of(5, 2) == (3, 5) and sides_of(2, 1) == (2,)
    for side in range(3, 70):
        assert len(sides_of(side, most_levels(side))) == most_levels(side)
        with pytest.raises(ValueError, match=f"levels of planes of {side}"):
            sides_of(side, most_levels(side) + 1)
        # What is made finer has all the samples of the next level.
        sides = sides_of(side, most_levels(side))
        assert all(2 * coarse - 1 >= fine for coarse, fine in zip(sides[:-1], sides[1:], strict=True))
    assert most_levels(2) == 1 and most_levels(8) == 4 and most_levels(64) in range(LEVELS[-1], 99)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 1), st.integers(0, 1000))
def test_finer_is_a_transposed_convolution(coarse, features, cut, seed):
    noise = draw(seed)
    planes = torch.randn(2, features, coarse, coarse, generator=noise)
    kernel = torch.randn(features, features, 3, 3, generator=noise)
    side = 2 * coarse - 1 - cut
    expected = np.zeros((2, features, 2 * coarse + 1, 2 * coarse + 1))
    for plane, own, row, column in np.ndindex(2, features, coarse, coarse):
        added = float(planes[plane, own, row, column]) * kernel[own].numpy()
        expected[plane, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += added
    np.testing.assert_allclose(
        finer(planes, kernel, side).numpy(), expected[:, :, 1 : 1 + side, 1 : 1 + side], atol=1e-4
    )


def test_the_bilinear_kernel_interpolates():
    planes = torch.randn(1, 2, 4, 4, generator=draw())
    made = finer(planes, bilinear_kernel(2), 7)
    expected = torch.nn.functional.interpolate(planes, size=7, mode="bilinear", align_corners=True)
    torch.testing.assert_close(made, expected)


def floating(latents, mixes, kernels, side):
    """The pyramid in float64 without any rounding."""
    planes = None
    for level, own in enumerate(latents):
        added = (own.double() @ mixes[level].double()).permute(0, 3, 1, 2)
        if planes is not None:
            planes = finer(planes, kernels[level - 1].double(), own.shape[1])
        planes = added if planes is None else planes + added
    return planes.permute(0, 2, 3, 1)


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_whole_numbers_make_the_planes_of_floats(levels):
    mixes, kernels = random_pyramid(levels)
    whole = WholePyramid.of(mixes, kernels)
    assert whole.levels == levels
    latents = random_latents(levels)
    again = floating(latents, *whole.floats(), SIDE)
    # Rounded once a level, by half a unit, which the kernels after it enlarge.
    torch.testing.assert_close(whole(latents, SIDE).double(), again, atol=30 * levels / UNIT, rtol=1e-6)
    torch.testing.assert_close(
        whole(latents, SIDE).double(), floating(latents, mixes, kernels, SIDE), atol=0.05, rtol=0
    )


def test_numbers_are_limited_to_what_16_bits_hold():
    whole = WholePyramid.of([torch.full((1, 1), 99.0), torch.full((1, 1), -99.0)], [torch.full((1, 1, 3, 3), 1e9)])
    for own in (*whole.mixes, *whole.kernels):
        assert torch.equal(own, own.to(torch.int16).long()) and int(own.abs().min()) == 8 * UNIT - 1


def test_planes_that_damage_makes_stay_finite():
    whole = WholePyramid.of([torch.full((2, 2), 8.0)] * 6, [torch.full((2, 2, 3, 3), 8.0)] * 5)
    latents = [torch.full((3, side, side, 2), 127) for side in sides_of(40, 6)]
    planes = whole(latents, 40)
    assert bool(planes.isfinite().all()) and float(planes.max()) <= LARGEST + 127 * 16


def test_the_first_levels_alone_are_all_with_zeros_for_the_rest():
    whole, latents = WholePyramid.of(*random_pyramid()), random_latents()
    for count in (1, 2):
        rest = [own if level < count else torch.zeros_like(own) for level, own in enumerate(latents)]
        assert torch.equal(whole(latents[:count], SIDE), whole(rest, SIDE))


def test_the_same_bits_on_any_number_of_threads_and_in_another_process(tmp_path):
    whole = WholePyramid.of(*random_pyramid(4, 10))
    latents = random_latents(4, 65, 10, most=60)
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(whole(latents, 65))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    torch.save((list(whole.mixes), list(whole.kernels), latents), tmp_path / "pyramid.pt")
    program = (
        "import hashlib, sys, torch; torch.set_num_threads(2)\n"
        "from manyfields.compression.latent_pyramid import WholePyramid\n"
        "mixes, kernels, latents = torch.load(sys.argv[1], weights_only=True)\n"
        "planes = WholePyramid(tuple(mixes), tuple(kernels))(latents, 65)\n"
        "print(hashlib.sha256(planes.numpy().tobytes()).hexdigest())\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "pyramid.pt")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(manyfields.__file__).parents[1]), "OMP_NUM_THREADS": "2"},
    )
    assert made.stdout.strip() == hashlib.sha256(found[0].numpy().tobytes()).hexdigest()


def test_fine_mixes_bring_planes_as_near_as_half_a_step():
    """The finest level takes what all the others leave."""
    step = 0.05
    planes = torch.randn(3, SIDE, SIDE, FEATURES, generator=draw())
    texels = torch.rand(3, SIDE, SIDE, generator=draw(1)) > 0.3
    _, kernels = random_pyramid()
    mixes = [torch.eye(FEATURES), 0.4 * torch.eye(FEATURES), step * torch.eye(FEATURES)]
    latents = nearest_latents(planes, texels, mixes, kernels)
    made = floating(latents, mixes, kernels, SIDE)
    assert float((made - planes)[texels].abs().max()) <= step / 2 + 1e-5
    for own, here in zip(latents, latents_that_count(texels, 3), strict=True):
        assert not own[~here].any()


def test_coarse_levels_hold_the_averages():
    """Planes that are the same everywhere need the coarsest level alone; texels that do not count do not matter."""
    texels = torch.rand(3, SIDE, SIDE, generator=draw(1)) > 0.5
    planes = torch.where(texels[..., None], torch.tensor([2.0, -1.0, 3.0]), torch.tensor(1e3))
    latents = nearest_latents(planes, texels, [torch.eye(FEATURES)] * 3, [bilinear_kernel(FEATURES)] * 2)
    here = latents_that_count(texels, 3)[0]
    assert (latents[0][here] == torch.tensor([2, -1, 3])).all()
    made = floating(latents, [torch.eye(FEATURES)] * 3, [bilinear_kernel(FEATURES)] * 2, SIDE)
    assert float((made - planes)[texels].abs().max()) < 1e-5


@pytest.mark.parametrize("side", [8, 9, 13])
def test_latents_that_count_are_those_that_reach_a_texel(side):
    """Against what changes when one latent does."""
    texels = torch.zeros(3, side, side, dtype=torch.bool)
    texels[0, side - 1, side - 1] = texels[1, 2:4, 5] = texels[2, 0, 0] = True
    ones = [torch.ones(1, 1)] * 3, [torch.ones(1, 1, 3, 3)] * 2
    found = latents_that_count(texels, 3)
    assert torch.equal(found[-1], texels)
    for level, own in enumerate(sides_of(side, 3)):
        for row in range(own):
            for column in range(own):
                latents = [torch.zeros(3, each, each, 1) for each in sides_of(side, 3)]
                latents[level][:, row, column] = 1
                reaches = (floating(latents, *ones, side)[..., 0] != 0) & texels
                assert torch.equal(reaches.any(2).any(1), found[level][:, row, column])


def test_no_texels():
    texels = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    assert not any(bool(here.any()) for here in latents_that_count(texels, 3))
    mixes, kernels = random_pyramid()
    planes = torch.randn(3, SIDE, SIDE, FEATURES)
    assert not any(bool(own.any()) for own in nearest_latents(planes, texels, mixes, kernels))
