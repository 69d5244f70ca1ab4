import math

import numpy as np
import pytest
import torch

from manyfields.compression.frequencies import FrequencyTable
from manyfields.compression.transform.density import COUNTS, FactorisedDensity


@pytest.fixture
def density() -> FactorisedDensity:
    made, draw = FactorisedDensity(4), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += torch.randn(parameter.shape, generator=draw)
    return made


def test_the_cumulated_density_rises_from_0_to_1(density):
    values = torch.linspace(-60, 60, 400).repeat(4, 1)
    found = density.cumulated(values).detach()
    assert bool((found.diff() >= 0).all()) and bool((found.diff().sum(1) > 0.999).all())
    assert float(found[:, 0].max()) < 1e-3 and float(found[:, -1].min()) > 0.999


def test_probabilities_are_differences_of_it_and_sum_to_1(density):
    density.double()
    whole = torch.arange(-200, 201).double().repeat(4, 1)
    found = density.probabilities(whole)
    torch.testing.assert_close(found, density.cumulated(whole + 0.5) - density.cumulated(whole - 0.5))
    torch.testing.assert_close(found.sum(1), torch.ones(4).double())
    torch.testing.assert_close(density.bits(whole[:, 195:206]), -found[:, 195:206].log2())


def test_far_values_have_finite_bits_and_gradients(density):
    values = torch.tensor([[-3000.0, -30.0, 30.0, 3000.0]]).repeat(4, 1).requires_grad_()
    density.bits(values).sum().backward()
    assert bool(torch.isfinite(values.grad).all()) and all(
        bool(torch.isfinite(parameter.grad).all()) for parameter in density.parameters()
    )


def test_bits_are_those_of_the_tables(density):
    lows, highs = torch.tensor([-9, -3, 0, 2]), torch.tensor([9, 4, 0, 5])
    counts, first = density.counts(lows, highs)
    assert first == -9 and counts.shape == (4, 19)
    for channel, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        here = np.flatnonzero(counts[channel].numpy()) + first
        assert here.tolist() == list(range(low, high + 1))
        whole = torch.arange(low, high + 1).float().repeat(4, 1)
        found = density.probabilities(whole)[channel].detach().double()
        np.testing.assert_allclose(counts[channel][here - first] / COUNTS, found, rtol=1e-3, atol=1e-8)
        table = FrequencyTable.of_counts(counts[channel].numpy(), 16)
        cost = table.cost((table.frequencies > 0).astype(np.int64))
        expected = float(-(found / found.sum()).log2().sum())
        assert cost == pytest.approx(expected, rel=0.02, abs=0.05)


def test_it_learns_what_is_drawn():
    """Against the entropy of the values themselves."""
    draw = torch.Generator().manual_seed(0)
    values = (3 * torch.randn(2, 4000, generator=draw) * torch.tensor([[0.1], [1.0]])).round()
    density = FactorisedDensity(2)
    optimizer = torch.optim.Adam(density.parameters(), 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        density.bits(values).mean().backward()
        optimizer.step()
    for channel, own in enumerate(density.bits(values).detach()):
        _, counts = values[channel].unique(return_counts=True)
        entropy = -sum(n / 4000 * math.log2(n / 4000) for n in counts.tolist())
        assert entropy - 1e-3 < float(own.mean()) < 1.03 * entropy
