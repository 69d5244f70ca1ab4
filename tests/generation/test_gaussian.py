"""Moments of the naive prior."""

import torch

from manyfields.generation.gaussian import GaussianDraws


def test_samples_have_the_mean_and_covariance_of_their_class():
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(80) % 2
    vectors = torch.randn(80, 4, generator=draw) @ torch.randn(4, 4, generator=draw) + 3.0 * labels.unsqueeze(1)
    draws = GaussianDraws(vectors, labels)
    for label in (0, 1):
        own = vectors[labels == label]
        drawn = draws.draw(torch.full((20_000,), label), torch.Generator().manual_seed(1))
        assert (drawn.mean(0) - own.mean(0)).abs().max() < 0.1
        assert (torch.cov(drawn.T) - torch.cov(own.T)).abs().max() < 0.05 * torch.cov(own.T).abs().max()


def test_fewer_objects_than_coordinates_stay_in_their_span():
    vectors = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    drawn = GaussianDraws(vectors, torch.zeros(3, dtype=torch.long)).draw(
        torch.zeros(50, dtype=torch.long), torch.Generator().manual_seed(0)
    )
    assert int(torch.linalg.matrix_rank(drawn - vectors.mean(0))) == 2


def test_a_class_of_one_object_is_that_object():
    draws = GaussianDraws(torch.ones(1, 3), torch.tensor([0]))
    assert torch.equal(draws.draw(torch.tensor([0, 0]), torch.Generator()), torch.ones(2, 3))
