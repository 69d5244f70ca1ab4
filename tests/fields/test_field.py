"""The plain forms of what rays ask of a field, against loops from the definitions."""

import math

import numpy as np
import pytest
import torch

from manyfields.fields import Field, Samples


def some_rays(dtype=torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    directions = torch.nn.functional.normalize(torch.randn(2, 9, 3, generator=generator), dim=-1)
    distances = (0.5 + torch.rand(2, 9, 5, generator=generator)).sort(-1).values
    lengths = 0.2 * (torch.rand(2, 9, 5, generator=generator) - 0.2).clamp(min=0.0)
    return [tensor.to(dtype) for tensor in (-directions, directions, distances, lengths)]


class Waves(Field):
    """A field that depends on places, directions and objects."""

    channels = 2

    def __call__(self, points, directions):
        b = torch.arange(len(points), dtype=points.dtype).view(-1, 1)
        x, y, z = points.unbind(-1)
        channels = torch.stack([torch.sin(5 * x) + directions[..., 0], y * z + b], -1)
        return Samples(6 * torch.sin(3 * x + y).abs() + b, channels)


def test_the_plain_march_is_the_sum_over_samples_that_its_description_says():
    origins, directions, distances, lengths = some_rays(torch.float64)
    field = Waves()
    channels, opacity, depth = field.plain_march(origins, directions, distances, lengths)
    for b, r in np.ndindex(2, 9):
        passed, filled, reached, seen = 1.0, 0.0, 0.0, np.zeros(2)
        for s in range(5):
            point = origins[b, r] + distances[b, r, s] * directions[b, r]
            found = field(point.expand(2, 1, 3), directions[b, r].expand(2, 1, 3))
            weight = passed * (1 - math.exp(-float(found.density[b, 0] * lengths[b, r, s])))
            passed -= weight
            filled += weight
            reached += weight * float(distances[b, r, s])
            seen += weight * found.channels[b, 0].numpy()
        np.testing.assert_allclose(channels[b, r].numpy(), seen, atol=1e-9)
        np.testing.assert_allclose(opacity[b, r].item(), filled, atol=1e-9)
        np.testing.assert_allclose(depth[b, r].item(), reached / max(filled, 1e-6), atol=1e-9)


def test_a_field_that_is_given_by_its_samples_alone_answers_all_that_rays_ask():
    origins, directions, distances, lengths = rays = some_rays(torch.float64)
    field = Waves()
    assert not field.in_one_go(5, *rays) and field.maps is None
    assert (
        field.walk(origins, directions, torch.zeros(2, 2, 3), torch.zeros(2, 4, 4, 4, dtype=torch.uint8), 1, 0.0)
        is None
    )
    channels, opacity, depth = field.march(*rays)
    for one, other in zip((channels, opacity, depth), field.plain_march(*rays), strict=True):
        assert torch.equal(one, other)
    colors, scales = torch.rand(2, 9, 2).double(), torch.rand(2, 9).double()
    background = torch.tensor([0.25, 0.5], dtype=torch.float64)
    error = field.march_error(*rays, colors, scales, background.clone().requires_grad_())
    seen = channels + (1 - opacity)[..., None] * background
    assert error.item() == pytest.approx(float((scales[..., None] * (seen - colors) ** 2).sum()))
    assert not error.requires_grad  # the background does not learn, and the field has nothing that could


def test_density_alone_is_that_of_the_samples():
    points = torch.rand(2, 7, 3).double()
    field = WithoutDirections()
    assert torch.equal(field.density(points), field(points).density)


class WithoutDirections(Waves):
    def __call__(self, points, directions=None):
        return super().__call__(points, torch.zeros_like(points))
