import itertools
import math

import pytest
import torch

from manyfields.compiled import plain_only
from manyfields.families.factor_fields.products import factor_products, read_factors

FREQUENCIES = (1.0, 2.0, 3.3)


def number_at(volume: torch.Tensor, place: list[float]) -> torch.Tensor:
    """Trilinear, by its definition; 0 and 1 are the outermost texels."""
    found = torch.zeros(volume.shape[-1])
    at = [min(max(x, 0.0), 1.0) * (side - 1) for x, side in zip(place, volume.shape[2::-1], strict=True)]
    for corner in itertools.product((0, 1), repeat=3):
        texel = [min(int(x), side - 2) + far for x, far, side in zip(at, corner, volume.shape[2::-1], strict=True)]
        weight = math.prod(max(0.0, 1.0 - abs(x - t)) for x, t in zip(at, texel, strict=True))
        found += weight * volume[texel[2], texel[1], texel[0]]
    return found


@pytest.mark.parametrize("wave", ["sawtooth", "triangle"])
def test_products_are_what_the_paper_writes(wave, factors):
    grids = factors.random_grids()
    size = (grids.box[1] - grids.box[0]).tolist()
    places = torch.rand(20, 3, generator=factors.generator(3))
    found = factor_products(grids, places, FREQUENCIES, wave)
    for own, place in zip(found, places.tolist(), strict=True):
        parts = []
        for basis, frequency in zip(grids.bases, FREQUENCIES, strict=True):
            at = [x * length / max(size) * frequency for x, length in zip(place, size, strict=True)]
            turned = [1 - abs(x % 2 - 1) if wave == "triangle" else x % 1 for x in at]
            parts.append(number_at(basis, turned))
        expected = torch.cat(parts) * number_at(grids.coefficients, place)
        torch.testing.assert_close(own, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("wave", ["sawtooth", "triangle"])
def test_the_compiled_form_is_the_plain_one(wave, factors):
    grids = factors.random_grids()
    places = 1.2 * torch.rand(1500, 3, generator=factors.generator(1)) - 0.1
    places[:4] = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 1.0, 0.0], [0.25, 0.75, 0.5]])
    wanted = torch.randn(1500, 12, generator=factors.generator(2))

    def both() -> tuple[torch.Tensor, list[torch.Tensor]]:
        own = grids.with_tensors([tensor.clone().requires_grad_() for tensor in grids.tensors])
        found = read_factors(own, places, FREQUENCIES, wave)
        (found * wanted).sum().backward()
        return found.detach(), [tensor.grad for tensor in own.tensors]

    compiled = both()
    with plain_only():
        plain = both()
    torch.testing.assert_close(compiled[0], plain[0], atol=2e-5, rtol=1e-5)
    for own, other in zip(compiled[1], plain[1], strict=True):
        torch.testing.assert_close(own, other, atol=1e-3, rtol=1e-4)


def test_a_sawtooth_repeats_and_a_triangle_turns(factors):
    grids = factors.random_grids()
    side = (grids.box[1] - grids.box[0]).amax() / (grids.box[1] - grids.box[0])
    place = torch.tensor([[0.1, 0.15, 0.12]])
    basis = slice(3, 4)  # of the second level, two of which fit into the longest side
    for wave, other in (("sawtooth", place + 0.5 * side), ("triangle", torch.tensor([[1.0, 0, 0]]) * side - place)):
        pair = torch.cat([place, torch.where(other <= 1, other, place)])
        pair[1, 1:] = place[0, 1:]
        first, second = read_factors(grids, pair, FREQUENCIES, wave)[:, basis]
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
