"""Schedulers against a denoiser that knows the answer, and the loss against its definition."""

import math

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.generation.denoiser import Denoiser
from manyfields.generation.diffusion import STEPS, TIMES, DiffusionDraws, Noising, scheduler_named

MEAN = torch.tensor([2.0, -1.0, 0.5])
DEVIATION = 0.2


def kept(time: torch.Tensor) -> torch.Tensor:
    """The cosine schedule (Nichol and Dhariwal 2021), by its definition: products of 1 - beta."""
    level = [math.cos((step / TIMES + 0.008) / 1.008 * math.pi / 2) ** 2 for step in range(TIMES + 1)]
    betas = [min(1 - level[step + 1] / level[step], 0.999) for step in range(TIMES)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0)[time].float()


class KnowsAGaussian(torch.nn.Module):
    """The best velocity where data are a Gaussian of `MEAN` and `DEVIATION`; class 1 has the mean's opposite."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = torch.nn.Linear(3, 1)
        self.classes = torch.nn.Embedding(3, 1)

    def forward(self, noisy, time, labels):
        signal, noise = kept(time).sqrt().unsqueeze(1), (1 - kept(time)).sqrt().unsqueeze(1)
        mean = MEAN * torch.where(labels == 1, -1.0, 1.0).unsqueeze(1)
        variance = signal**2 * DEVIATION**2 + noise**2
        guess_noise = noise * (noisy - signal * mean) / variance
        guess_clean = mean + signal * DEVIATION**2 * (noisy - signal * mean) / variance
        return signal * guess_noise - noise * guess_clean


@pytest.mark.parametrize("name", STEPS)
def test_every_scheduler_draws_what_the_network_knows(name):
    labels = torch.arange(600) % 2
    drawn = DiffusionDraws(KnowsAGaussian(), name).draw(labels, torch.Generator().manual_seed(0))
    for label, sign in ((0, 1.0), (1, -1.0)):
        own = drawn[labels == label]
        assert (own.mean(0) - sign * MEAN).abs().max() < 0.05
        assert own.std(0).tolist() == pytest.approx([DEVIATION] * 3, rel=0.2)


def test_draws_repeat():
    draws = DiffusionDraws(KnowsAGaussian(), "ddpm", 20)
    labels = torch.zeros(4, dtype=torch.long)
    first, again, other = (draws.draw(labels, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_guidance_leans_away_from_anything():
    labels = torch.ones(300, dtype=torch.long)
    plain, guided = (
        DiffusionDraws(KnowsAGaussian(), "ddim", guidance=g).draw(labels, torch.Generator().manual_seed(0))
        for g in (1.0, 1.5)
    )
    assert bool((guided.mean(0).abs() > 1.2 * plain.mean(0).abs()).all())


def test_the_loss_of_what_is_known_is_less_than_of_nothing():
    draw = torch.Generator().manual_seed(0)
    clean = MEAN + DEVIATION * torch.randn(4000, 3, generator=draw)
    times = torch.randint(TIMES, (4000,), generator=draw)
    noise = torch.randn(4000, 3, generator=draw)
    labels = torch.zeros(4000, dtype=torch.long)
    blank = Denoiser(3, 2, 8, 1)
    signal, share = kept(times).sqrt().unsqueeze(1), (1 - kept(times)).sqrt().unsqueeze(1)
    nothing = Noising().loss(blank, clean, labels, times, noise)
    assert nothing.item() == pytest.approx((signal * noise - share * clean).square().mean().item(), rel=1e-3)
    assert float(Noising().loss(KnowsAGaussian(), clean, labels, times, noise)) < 0.3 * float(nothing)


@pytest.mark.parametrize(
    ("name", "steps", "message"), [("euler", 5, "is not known"), ("ddim", 0, "from 1 to 1000"), ("dpm", 1001, "1000")]
)
def test_schedulers_that_cannot_be_had(name, steps, message):
    with pytest.raises(ConfigError, match=message):
        scheduler_named(name, steps)
