from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.rendering.sampling import Sampler, bin_edges, by_importance, stratified

few = settings(max_examples=25, deadline=None)


def edges_of(seed, count, rays=4):
    rng = np.random.default_rng(seed)
    near = torch.from_numpy(rng.uniform(0, 2, (2, rays)))
    far = near + torch.from_numpy(rng.uniform(0.01, 2, (2, rays)))
    return near, far, bin_edges(near, far, count), rng


@few
@given(st.integers(0, 10_000), st.integers(2, 20), st.booleans())
def test_stratified_samples_lie_one_in_each_bin(seed, count, jitter):
    near, far, edges, _ = edges_of(seed, count)
    torch.testing.assert_close(edges[..., 0], near)
    torch.testing.assert_close(edges[..., -1], far)
    torch.testing.assert_close(edges.diff(dim=-1), ((far - near) / count)[..., None].expand(-1, -1, count))
    samples = stratified(edges, torch.Generator().manual_seed(seed) if jitter else None)
    assert (samples >= edges[..., :-1]).all() and (samples <= edges[..., 1:]).all()
    assert (samples.diff(dim=-1) >= 0).all()
    middles = 0.5 * (edges[..., 1:] + edges[..., :-1])
    assert torch.allclose(samples, middles) != jitter


@few
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 12))
def test_importance_samples_equal_numpys_inverse_distribution(seed, bins, count):
    _, _, edges, rng = edges_of(seed, bins)
    weights = rng.uniform(0, 1, (2, 4, bins)) * (rng.uniform(size=(2, 4, bins)) > 0.4)
    samples = by_importance(edges, torch.from_numpy(weights), count)
    quantiles = (np.arange(count) + 0.5) / count
    for b in range(2):
        for r in range(4):
            # The floor that keeps empty bins reachable is part of what is specified.
            share = weights[b, r] + 1e-3 * weights[b, r].mean() + 1e-6
            cumulated = np.concatenate([[0], np.cumsum(share / share.sum())])
            expected = np.interp(quantiles, cumulated, edges[b, r].numpy())
            np.testing.assert_allclose(samples[b, r].numpy(), expected, atol=1e-7)


def test_importance_samples_follow_the_weights():
    edges = torch.linspace(0, 4, 5).expand(1, 1, 5)
    weights = torch.tensor([[[0.0, 3.0, 0.0, 1.0]]])
    for generator in (None, torch.Generator().manual_seed(0)):
        samples = by_importance(edges, weights, 4000, generator).flatten()
        shares = torch.histc(samples, 4, 0, 4) / 4000
        torch.testing.assert_close(shares, weights.flatten() / 4, atol=5e-3, rtol=0)


def test_a_ray_that_found_nothing_is_sampled_evenly():
    edges = bin_edges(torch.tensor([[1.0]]), torch.tensor([[3.0]]), 4)
    samples = by_importance(edges, torch.zeros(1, 1, 4), 8)
    torch.testing.assert_close(samples, 1 + 2 * (torch.arange(8) + 0.5).view(1, 1, 8) / 8)


def test_all_weight_in_the_last_bin_stays_in_the_last_bin():
    edges = bin_edges(torch.tensor([[0.0]]), torch.tensor([[1.0]]), 64)
    weights = torch.zeros(1, 1, 64)
    weights[..., -1] = 1e6
    samples = by_importance(edges, weights, 16, torch.Generator().manual_seed(0))
    assert samples.max() <= 1 and (samples >= edges[..., -2:-1]).float().mean() > 0.9


def test_an_empty_stretch_gives_its_only_distance():
    edges = bin_edges(torch.tensor([[2.0]]), torch.tensor([[2.0]]), 3)
    assert (stratified(edges) == 2).all()
    assert (by_importance(edges, torch.rand(1, 1, 3), 5) == 2).all()


@pytest.mark.parametrize("counts", [(1, 4), (0, 0), (4, -1)])
def test_too_few_samples_are_a_config_error(counts):
    with pytest.raises(ConfigError, match=f"sampler {counts[0]} \\+ {counts[1]}"):
        Sampler(*counts)


def test_samples_grow_through_a_phase():
    sampler = Sampler(guided=24)
    assert [sampler.at(share).guided for share in (0.0, 0.24, 0.25, 0.49, 0.5, 0.99)] == [8, 8, 16, 16, 24, 24]
    assert Sampler(guided=1).at(0.0).guided == 1
    assert replace(sampler.at(0.1), guided=24) == sampler
