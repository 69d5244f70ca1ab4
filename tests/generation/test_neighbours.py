"""Mixtures of neighbours and bilinear grids, against plain loops."""

import pytest
import torch

scipy_stats = pytest.importorskip("scipy.stats")

from manyfields.generation import bilinear_grid  # noqa: E402
from manyfields.generation.neighbours import NeighbourDraws, nearest_of_class  # noqa: E402


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


def test_two_parents_are_anywhere_between_objects_of_a_class(vectors):
    """Equation 11 of mNIF: shares are uniform."""
    draws = NeighbourDraws(vectors, LABELS, 4)
    rows = torch.arange(30).repeat(100)
    shares = []
    for row, vector in zip(rows.tolist(), draws.mixed(rows, torch.Generator().manual_seed(1)), strict=True):
        own, others = vectors[row], vectors[draws.nearest[row]]
        along = others - own
        share = ((vector - own) * along).sum(1) / along.square().sum(1)
        off = (own + share.unsqueeze(1) * along - vector).norm(dim=1)
        best = int(off.argmin())
        assert off[best] < 1e-4 and -1e-5 <= share[best] <= 1.0 + 1e-5
        shares.append(float(share[best]))
    assert scipy_stats.kstest(shares, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("parents", "evenness"), [(1, 3), (3, 1), (4, 2)])
def test_shares_are_those_of_a_dirichlet_distribution(parents, evenness):
    """Objects are unit vectors, so that a mixture shows its shares: their mean and spread are known."""
    draws = NeighbourDraws(torch.eye(8), torch.zeros(8, dtype=torch.long), 5, parents, evenness)
    mixed = draws.mixed(torch.full((8000,), 2), torch.Generator().manual_seed(0))
    assert torch.allclose(mixed.sum(1), torch.ones(8000), atol=1e-5)
    assert bool(((mixed > 0).sum(1) == parents).all()) and bool((mixed[:, 2] > 0).all())
    others = [row for row in range(8) if row not in draws.nearest[2].tolist() and row != 2]
    assert not mixed[:, others].any()
    own, mean = mixed[:, 2], 1.0 / parents
    assert float(own.mean()) == pytest.approx(mean, abs=0.01)
    assert float(own.var()) == pytest.approx(mean * (1.0 - mean) / (parents * evenness + 1), abs=0.004)


def test_no_more_parents_than_a_class_has(vectors):
    """An object that is alone in its class stays what it is."""
    labels = torch.zeros(30, dtype=torch.long)
    labels[7] = 1
    draws = NeighbourDraws(vectors, labels, 3, parents=3)
    assert torch.allclose(draws.mixed(torch.tensor([7]), torch.Generator().manual_seed(0)), vectors[[7]], atol=1e-6)


def test_draws_repeat(vectors):
    draws = NeighbourDraws(vectors, LABELS)
    first, again, other = (draws.draw(LABELS, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("exchange", [0.0, 1.0])
def test_groups_after_the_first_come_from_other_objects(vectors, exchange):
    draws = NeighbourDraws(vectors, LABELS, 4, parents=1, ranks=(3, 2), exchange=exchange)
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
