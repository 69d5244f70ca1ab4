"""The error of rays in parts against the plain form: the same number, the same gradients, whatever the parts are."""

import pytest
import torch

from manyfields.families.mixture import march as mixture_steps
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.rendering import densities

CONFIG = MixtureConfig(hidden_layers=2, width=8, bases=4, latent=5, w0=6.0)


def family_and_codes() -> tuple[MixtureFamily, torch.Tensor]:
    family = MixtureFamily(CONFIG, torch.Generator().manual_seed(0)).double()
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    return family, codes.tensors["latent"].double().requires_grad_()


def rays_and_target() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(2)
    directions = torch.nn.functional.normalize(torch.randn(2, 9, 3, generator=generator), dim=-1)
    distances = (0.5 + torch.rand(2, 9, 5, generator=generator)).sort(-1).values
    lengths = 0.2 * (torch.rand(2, 9, 5, generator=generator) - 0.2).clamp(min=0.0)
    target = [torch.rand(shape, generator=generator).double() for shape in ((2, 9, 3), (2, 9), (3,))]
    return [tensor.double() for tensor in (-directions, directions, distances, lengths)], target


@pytest.mark.parametrize("at_once", [1, 40, 10_000])
def test_the_error_in_parts_is_the_error(monkeypatch, at_once):
    monkeypatch.setattr(mixture_steps, "SAMPLES_AT_ONCE", at_once)
    family, latents = family_and_codes()
    rays, (colors, scales, background) = rays_and_target()

    def field():
        return family.field(type(family.new_codes(1))({"latent": latents}))

    channels, opacity, _ = field().plain_march(*rays)
    seen = channels + (1 - opacity).unsqueeze(-1) * background
    plain = (scales.unsqueeze(-1) * (seen - colors).square()).sum()
    learning = [latents, *family.parameters()]
    expected = torch.autograd.grad(2 * plain, learning)
    found = field().march_error(*rays, colors, scales, background)
    assert torch.allclose(found, plain)
    for mine, theirs in zip(torch.autograd.grad(2 * found, learning), expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12)
    with torch.no_grad():
        assert torch.allclose(field().march_error(*rays, colors, scales, background), plain)


def test_other_calls_take_the_plain_form():
    family, latents = family_and_codes()
    field = family.field(type(family.new_codes(1))({"latent": latents}))
    rays, _ = rays_and_target()
    for mine, plain in zip(field.march(*rays), field.plain_march(*rays), strict=True):
        assert torch.equal(mine, plain)
    points = torch.rand(2, 4, 3).double()
    found = densities(field, points)
    assert torch.equal(found, field(points).density) and not found.requires_grad
