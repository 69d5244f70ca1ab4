"""The similarity of bases against cosines by hand, and what its picture shows."""

import math

import numpy as np
import pytest
import torch

from manyfields.families.mixture.basis_similarity import basis_similarity, mean_similarity, similarity_picture
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily


@pytest.fixture
def family() -> MixtureFamily:
    return MixtureFamily(MixtureConfig("images", 1, 8, 4, 3), torch.Generator().manual_seed(0))


def test_cosines_are_those_of_the_matrices_alone(family):
    with torch.no_grad():
        for layer in family.bases:
            layer[1] = -2.0 * layer[0]  # as near as can be, whatever its sign and length
            layer[1, -1] += 100.0  # of a bias
    for (inputs, outputs), layer, found in zip(
        family.config.sizes, family.bases, basis_similarity(family), strict=True
    ):
        rows = layer.detach()[:, : inputs * outputs].double().numpy()
        assert found[0, 1] == pytest.approx(1.0)
        for one in range(4):
            for other in range(4):
                cosine = rows[one] @ rows[other] / np.linalg.norm(rows[one]) / np.linalg.norm(rows[other])
                assert found[one, other] == pytest.approx(0.0 if one == other else abs(cosine), abs=1e-5)


def test_random_matrices_are_as_alike_as_their_size_says():
    family = MixtureFamily(MixtureConfig("images", 1, 32, 64, 3), torch.Generator().manual_seed(0))
    means = [mean_similarity(matrix) for matrix in basis_similarity(family)]
    for (inputs, outputs), mean in zip(family.config.sizes, means, strict=True):
        assert mean == pytest.approx(math.sqrt(2 / (math.pi * inputs * outputs)), rel=0.1)


def test_the_mean_leaves_the_diagonal_out():
    assert mean_similarity(torch.tensor([[0.0, 0.5], [0.5, 0.0]])) == 0.5
    assert mean_similarity(torch.zeros(1, 1)) == 0.0


def test_the_picture_is_darkest_where_bases_are_most_alike():
    first, second = torch.zeros(4, 4), torch.zeros(4, 4)
    first[0, 3] = first[3, 0] = 0.2
    second[1, 2] = second[2, 1] = 0.8
    picture = similarity_picture([first, second]).astype(int)
    side, left, top = 4 * 32 + 2, 12, 20  # cells of 32 pixels in a frame of one
    panels = [picture[top : top + side, x : x + side][1:-1, 1:-1] for x in (left, left + side + 12)]
    cells = [panel.reshape(4, 32, 4, 32, 3)[:, 16, :, 16] for panel in panels]
    assert (panels[0] == cells[0].repeat(32, 0).repeat(32, 1)).all()
    assert cells[1][1, 2].tolist() == cells[1][2, 1].tolist() == [10, 25, 60]
    assert cells[0][0, 3].tolist() == [145, 180, 222]  # a quarter of the scale: half way from white to blue
    assert (cells[0][0, :3] == 255).all() and (cells[1][0] == 255).all()


def test_layers_are_numbered_from_the_first_that_is_given():
    matrices = [torch.zeros(2, 2)] * 2
    plain, named = (similarity_picture(matrices, first=first)[:20] for first in (0, 1))  # the lines of text
    right = plain.shape[1] // 2 + 6  # where the second panel begins
    assert (named[:, 12 : right - 12] == plain[:, right:-12]).all() and (named != plain).any()


def test_bases_without_any_likeness_are_white():
    picture = similarity_picture([torch.zeros(2, 2)])
    assert (picture[21:149, 13:141] == 255).all()
