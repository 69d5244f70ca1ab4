"""Mixtures of neighbours and bilinear grids, against plain loops."""

import pytest
import torch

from manyfields.generation import bilinear_grid
from manyfields.generation.neighbours import NeighbourDraws, nearest_of_class


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(30, 5, generator=torch.Generator().manual_seed(0))


LABELS = torch.arange(30) % 3


def test_nearest_equal_a_loop(vectors):
    found = nearest_of_class(vectors, LABELS, 4)
    for row in range(30):
        others = [other for other in range(30) if other != row and LABELS[other] == LABELS[row]]
        others.sort(key=lambda other: float((vectors[other] - vectors[row]).norm()))
        assert found[row].tolist() == others[:4]


def test_an_object_without_its_like_is_its_own_neighbour(vectors):
    labels = torch.zeros(30, dtype=torch.long)
    labels[7] = 1
    labels[8:10] = 2
    found = nearest_of_class(vectors, labels, 3)
    assert found[7].tolist() == [7, 7, 7] and found[8].tolist() == [9, 8, 8]


def test_mixtures_lie_between_objects_of_their_class(vectors):
    draws = NeighbourDraws(vectors, LABELS, 4, most=0.5)
    labels = torch.tensor([0, 1, 2] * 40)
    drawn = draws.draw(labels, torch.Generator().manual_seed(1))
    for label, vector in zip(labels.tolist(), drawn, strict=True):
        own = vectors[label == LABELS]
        pairs = [(a, b) for a in own for b in own]
        gaps = [float((vector - a).norm() + (b - vector).norm() - (b - a).norm()) for a, b in pairs]
        best = min(range(len(pairs)), key=gaps.__getitem__)
        assert gaps[best] < 1e-4
        a, b = pairs[best]
        assert min((vector - a).norm(), (vector - b).norm()) <= 0.5 * (b - a).norm() + 1e-4


def test_draws_repeat(vectors):
    draws = NeighbourDraws(vectors, LABELS)
    first, again, other = (draws.draw(LABELS, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("exchange", [0.0, 1.0])
def test_groups_after_the_first_come_from_other_objects(vectors, exchange):
    draws = NeighbourDraws(vectors, LABELS, 4, most=0.0, ranks=(3, 2), exchange=exchange)
    mixed = draws.mixed(torch.arange(30), torch.Generator().manual_seed(0))
    assert torch.equal(mixed[:, :3], vectors[:, :3])
    assert torch.equal(mixed[:, 3:], vectors[:, 3:]) == (exchange == 0.0)
    for row in range(30):
        own = vectors[LABELS[row] == LABELS][:, 3:]
        assert bool((mixed[row, 3:] >= own.amin(0) - 1e-6).all() and (mixed[row, 3:] <= own.amax(0) + 1e-6).all())


def test_bilinear_grid_equals_a_loop():
    corners = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    found = bilinear_grid(corners, 5).view(5, 5, 3)
    for row in range(5):
        for column in range(5):
            y, x = row / 4, column / 4
            top, bottom = (1 - x) * corners[0] + x * corners[1], (1 - x) * corners[2] + x * corners[3]
            assert torch.allclose(found[row, column], (1 - y) * top + y * bottom, atol=1e-6)
