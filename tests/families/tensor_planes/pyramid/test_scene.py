"""Scenes by pyramids of latents: what their parts mean."""

import numpy as np
import pytest
import torch

from manyfields.compression.latent_pyramid import bilinear_kernel, finer
from manyfields.families.tensor_planes.pyramid.scene import (
    MOST_GAIN,
    Mixes,
    cropped,
    finer_bilinear,
    inverse_gains,
    squared,
    texels_read,
)
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_finer_planes_are_those_of_the_pyramid_of_a_set():
    planes = draw(3, 4, 5, 5)
    expected = finer(planes, bilinear_kernel(4), 8)
    torch.testing.assert_close(finer_bilinear(planes, 8), expected)


@pytest.mark.parametrize("resolution", [(5, 9, 7), (16, 4, 4), (3, 3, 20)])
def test_texels_read_are_those_that_points_of_filled_cells_read(resolution):
    """A plain loop over many points of every filled cell."""
    generator = np.random.default_rng(3)
    alpha = torch.from_numpy((generator.random((6, 6, 6)) < 0.03).astype(np.uint8))
    expected = torch.zeros(3, max(resolution), max(resolution), dtype=torch.bool)
    for cell in alpha.nonzero().tolist():
        for point in generator.random((200, 3)) * 0.998 + 0.001:
            places = (np.array(cell) + point) / 6
            for n, (row, column) in enumerate(zip(ROW_AXES, COLUMN_AXES, strict=True)):
                top, left = (min(int(places[a] * (resolution[a] - 1)), resolution[a] - 2) for a in (row, column))
                expected[n, top : top + 2, left : left + 2] = True
    found = texels_read(alpha, resolution)
    assert bool((found | ~expected).all()), "a texel that is read is missing"
    assert int(found.sum()) <= 1.7 * int(expected.sum())
    assert not bool(texels_read(torch.zeros(6, 6, 6, dtype=torch.uint8), resolution).any())


def test_planes_and_squares():
    planes = [draw(4, 6, 5), draw(4, 7, 5), draw(4, 7, 6)]
    squares = squared(planes, 7)
    assert squares.shape == (3, 7, 7, 4)
    for one, two in zip(planes, cropped(squares, (5, 6, 7)), strict=True):
        assert torch.equal(one, two)


def test_mixes_are_near_and_their_planes_exact():
    wanted = draw(3, 6, 6) * torch.tensor([100.0, 1.0, 0.5, 3.0, 10.0, 0.7])[:, None]
    mixes = Mixes.of(wanted)
    found = mixes.floats()
    error = (found - wanted).abs().amax(2) / wanted.abs().amax(2)
    assert float(error.max()) < 0.008
    sums = draw(3, 4, 4, 6).mul(50).round().double()
    torch.testing.assert_close(mixes(sums), torch.einsum("phwz,pzc->phwc", sums, found).float())


def test_gains_are_fourth_roots_of_two_between_every_fourth_texel():
    gains = torch.zeros(3, 4, 4, dtype=torch.int64)
    gains[0] = 4
    gains[1] = -8
    gains[2, 0, 0] = MOST_GAIN
    inverse = inverse_gains(gains, 13)
    assert inverse.shape == (3, 13, 13)
    assert torch.all(inverse[0] == 0.5) and torch.all(inverse[1] == 4.0)
    assert float(inverse[2, 0, 0]) == pytest.approx(2.0**-5)
    assert float(inverse[2, 0, 2]) == pytest.approx(2.0**-2.5, rel=0.01) and float(inverse[2, 0, 4]) == 1.0
