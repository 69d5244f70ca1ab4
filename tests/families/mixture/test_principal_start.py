"""Latent vectors that start at principal components."""

import numpy as np
import pytest
import torch

from manyfields.families.mixture import principal_start
from manyfields.families.mixture.principal_start import principal_coordinates


def pictures(count: int = 30, cells: int = 25) -> torch.Tensor:
    draw = np.random.default_rng(0)
    return torch.from_numpy(draw.integers(0, 256, (count, cells, 3)).astype(np.uint8))


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_coordinates_are_those_of_a_singular_value_decomposition():
    values = pictures()
    found = principal_coordinates(values, 7, drawn()).double()
    flat = values.flatten(1).double()
    left, sizes, _ = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    expected = left[:, :7] * sizes[:7]
    expected /= expected.square().mean().sqrt()
    torch.testing.assert_close(found.abs(), expected.abs(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found @ found.T, expected @ expected.T, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("count", [5, 29, 64])
def test_what_instances_do_not_differ_in_is_0(count):
    values = pictures()
    values[10:] = values[:10].repeat(2, 1, 1)  # nine directions
    found = principal_coordinates(values, count, drawn())
    assert found.shape == (30, count) and float(found.square().mean()) == pytest.approx(1.0, rel=1e-4)
    assert bool((found[:, :5] != 0).any(0).all()) and not bool(found[:, 9:].any())
    torch.testing.assert_close(found[:10], found[10:20], rtol=1e-4, atol=1e-4)


def test_instances_that_are_all_alike_start_at_0():
    assert not principal_coordinates(pictures(1).expand(4, -1, -1), 3, drawn()).any()


def test_of_many_instances_some_are_learned_from(monkeypatch):
    values = pictures(60)
    values[20:] = values[:20].repeat(2, 1, 1)
    monkeypatch.setattr(principal_start, "LEARNED_FROM", 40)
    found = principal_coordinates(values, 4, drawn())
    torch.testing.assert_close(found[:20], found[20:40], rtol=1e-4, atol=1e-4)
    assert float(found.std(0).min()) > 0.1
