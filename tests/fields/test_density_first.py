import torch

from manyfields.cameras import Rays, orbit
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.rendering import Sampler, color_error, guide_of, render


def some_rays(count: int = 2, samples: int = 9):
    rays = orbit(count, width=8, height=8).rays()
    distances = torch.linspace(1.8, 3.6, samples).expand(count, 64, samples).contiguous()
    lengths = torch.full_like(distances, 0.2)
    lengths[:, ::5] = 0.0  # rays that meet nothing
    lengths[:, 1, 3] = 0.0
    return rays.origins, rays.directions, distances, lengths


def learning(codes: TensorCodes) -> TensorCodes:
    grids = (each.with_tensors([t.double().requires_grad_() for t in each.tensors]) for each in codes.grids)
    return TensorCodes(tuple(grids))


def test_what_is_seen_and_learned_is_that_of_the_plain_form(tensors):
    """Dense enough for opaque rays, thin enough for light to pass: faint samples are left out, and hardly matter."""
    family = tensors.new_shared(density_gain=40.0).family.double()
    rays = [tensor.double() for tensor in some_rays()]
    wanted = torch.rand(2, 64, 3, generator=tensors.generator()).double()
    found = []
    for form in ("plain_march", "march"):
        codes = learning(tensors.random_codes(family, 2, scale=2.0))
        seen = getattr(family.field(codes), form)(*rays)
        (seen[0] - wanted).square().sum().backward()
        found.append((seen, [tensor.grad for grids in codes.grids for tensor in grids.tensors]))
    (plain, plain_gradients), (first, gradients) = found
    assert float(plain[1].detach().max()) > 0.2 and float(plain[1].detach().std()) > 0.05
    torch.testing.assert_close(first[0], plain[0], atol=9 * 1e-4, rtol=0)
    torch.testing.assert_close(first[1], plain[1])
    torch.testing.assert_close(first[2], plain[2])
    for own, other in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(own, other, atol=0.02 * float(other.abs().max()) + 1e-6, rtol=0)


def test_colours_are_asked_only_where_something_is_seen(tensors, monkeypatch):
    family = tensors.new_shared().family
    field = family.field(tensors.column(family))
    asked = []
    usual = type(field).colors

    def watched(self, points, along):
        asked.append(points)
        return usual(self, points, along)

    monkeypatch.setattr(type(field), "colors", watched)
    rays = orbit(1, width=20, height=20).rays()
    box = field.grids[0].box[None]
    seen = render(field, rays, Sampler(guided=12), bounds=box, guide=torch.ones(1, 8, 8, 8))
    (points,) = asked
    assert 0 < points.shape[1] < 400 * 12 / 4
    assert float(points[0, :, :2].norm(dim=-1).max()) < 0.55  # the column, and half a texel around it
    middle = seen.opacity.view(20, 20)
    assert float(middle[10, 10]) > 0.99 and float(middle[0, 0]) == 0.0


def test_guides_and_errors_of_rays_take_tensor_fields(tensors):
    family = tensors.new_shared().family
    codes = tensors.column(family)
    box = codes.grids[0].box[None]
    guide = guide_of(family.field(codes), box, side=8)
    assert 0 < int((guide > 0).sum()) < 8**3
    tensor = codes.grids[0].density.planes[0].requires_grad_()
    rays = orbit(1, width=9, height=9).rays()
    white = torch.ones(3)
    error = color_error(
        family.field(codes),
        Rays(rays.origins, rays.directions),
        torch.rand(1, 81, 3),
        Sampler(guided=6),
        bounds=box,
        guide=guide,
        background=white,
    )
    error.backward()
    assert 0 < float(error.detach()) < 1 and float(tensor.grad.abs().max()) > 0


def test_a_field_that_is_empty_has_no_colour_and_still_learns(tensors):
    """As at the start of a fit: no sample is seen, but densities must be able to grow."""
    family = tensors.new_shared(density_gain=5.0).family
    codes = tensors.random_codes(family, scale=0.01)
    tensor = codes.grids[0].density.planes[0].requires_grad_()
    channels, opacity, _ = family.field(codes).march(*(each[:1] for each in some_rays()))
    assert float(channels.detach().abs().max()) == 0.0 and float(opacity.detach().max()) < 0.01
    opacity.sum().backward()
    assert float(tensor.grad.abs().max()) > 0
