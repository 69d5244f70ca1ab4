"""What learns of a hyperprior."""

import math

import pytest
import torch

from manyfields.compression.transform.hyperprior import CLASSES
from manyfields.compression.transform.latents import kept_latents
from manyfields.fitting.transform.hyperprior import NARROWEST, WIDEST, HyperModel, bounded, class_bits
from manyfields.fitting.transform.settings import TransformSettings

SETTINGS = TransformSettings(latent=5, hidden=4, hyper_latent=3, hyper_hidden=4, hyperprior=True)
SIZES = [(9, 12), (9, 12), (9, 12)]


def made() -> HyperModel:
    return HyperModel(SIZES, SETTINGS, torch.Generator().manual_seed(0))


def test_bits_are_those_of_logistic_distributions():
    values = torch.arange(-300, 301).double()[:, None].expand(-1, CLASSES)
    classes = torch.arange(CLASSES).double().expand_as(values)
    masses = 2 ** -class_bits(values, classes)
    torch.testing.assert_close(masses.sum(0), torch.ones(CLASSES).double(), atol=2e-4, rtol=0)
    scales = NARROWEST * (WIDEST / NARROWEST) ** (classes / (CLASSES - 1))
    plain = torch.sigmoid((values + 0.5) / scales) - torch.sigmoid((values - 0.5) / scales)
    near = values.abs() < 8 * scales
    torch.testing.assert_close(masses[near], plain[near])
    assert scales[0, 0] == NARROWEST and float(scales[0, -1]) == pytest.approx(WIDEST)


def test_far_values_pull_at_classes():
    values, classes = torch.tensor([500.0]), torch.tensor([0.0], requires_grad=True)
    bits = class_bits(values, classes).sum()
    bits.backward()
    assert math.isfinite(bits.item()) and float(classes.grad) < -100


def test_classes_stay_within_those_there_are_and_may_come_back():
    values = torch.tensor([-3.0, 2.2, 40.0], requires_grad=True)
    found = bounded(values)
    assert found.tolist() == [0.0, pytest.approx(2.2), CLASSES - 1]
    found.sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([0.1, 1.0, 0.1]))


def test_what_is_stored_has_the_classes_of_the_last_steps():
    model = made()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for own, odds in zip(model.own, model.odds, strict=True):
            own.copy_(torch.randint(-3, 4, own.shape, generator=draw).float())
            odds.copy_(torch.where(torch.rand(odds.shape, generator=draw) > 0.5, 50.0, -50.0))
    coded = model.coded()
    for number, stored in enumerate(coded.classes(SIZES)):
        seen, _ = model(number, 0.1, True, draw)
        assert torch.equal(seen.round(), seen) and seen.shape == (5, 9, 12)
        # Rounded in float32 there, where a number may lie beside a tie.
        assert float((stored == seen).float().mean()) > 0.97
    kept = kept_latents(coded.latents, coded.masks)
    assert kept.shape[1] == sum(int((odds > 0).sum()) for odds in model.odds)


def test_it_learns_where_latents_are_wide():
    """The left half of the latents is noise of deviation 8, the right half 0."""
    model, draw = made(), torch.Generator().manual_seed(2)
    values = 8 * torch.randn(5, 9, 12, generator=draw)
    values[..., 6:] = 0.0
    optimizer = torch.optim.Adam(
        [
            {"params": list(model.own), "lr": 0.1},
            {"params": [*model.decoder.parameters(), *model.density.parameters(), *model.odds], "lr": 0.02},
        ]
    )
    first = last = 0.0
    for _ in range(150):
        classes, own = model(0, 1.0, False, draw)
        loss = class_bits(values + torch.rand(values.shape, generator=draw) - 0.5, classes).sum() + own
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = first or loss.item(), loss.item()
    (classes, *_) = model.coded().classes(SIZES)
    assert last < 0.6 * first
    assert float(classes[..., :5].float().mean()) > float(classes[..., 7:].float().mean()) + 4
