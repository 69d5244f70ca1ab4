"""The Triton kernels of the fused render against the plain form in float64.

On a GPU where there is one. Elsewhere in Triton's interpreter, which must be chosen before Triton is loaded: then
`test_triton_interpreted.py` runs this file, in a process of its own.
"""

import os
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.fields import Field, Samples
from manyfields.fields.directions import harmonics

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip("no GPU: test_triton_interpreted.py runs these in Triton's interpreter", allow_module_level=True)
pytest.importorskip("triton")

from manyfields.rendering import fused_triton  # noqa: E402
from manyfields.rendering.fused_triton import available, fits, fused_march, tile_of  # noqa: E402

DEVICE = "cpu" if INTERPRETED else "cuda"
BOUNDS = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]]])
NAMES = ("channels", "opacity", "depth", "planes", "hidden.weight", "hidden.bias", "output.weight", "output.bias")
TOLERANCE = 5e-6  # of the largest number of a tensor; below 1e-6 was seen


@dataclass
class Case:
    """Two objects, rays that meet their boxes or not, and a gradient for all that comes out."""

    features: int = 10
    hidden: int = 24
    channels: int = 3
    samples: int = 12
    degree: int = 0
    activation: str = "softplus"
    space: str = "rgb"
    box: bool = True
    rays: int = 13
    seed: int = 0

    def tensors(self, dtype=torch.float32):
        generator = torch.Generator().manual_seed(self.seed)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        config = FusedPlanesConfig(
            *(self.features, 0, 0),
            resolution=9,
            hidden=self.hidden,
            channels=self.channels,
            space=self.space,
            activation=self.activation,
            span="box" if self.box else "cube",
            view_degree=self.degree,
        )
        family = FusedPlanes(config, generator).to(DEVICE, dtype)
        planes = draw(2, 3, 9, 7, self.features)  # not square: columns and rows must not be confused
        directions = functional.normalize(draw(2, self.rays, 3), dim=-1)
        origins = 0.2 * draw(2, self.rays, 3) - 1.2 * directions  # many points lie outside of the box
        places = torch.rand(2, 2, self.rays, self.samples, generator=generator, dtype=torch.float64)
        distances = 2.4 * places[0].sort(-1).values
        lengths = 0.2 * places[1] * (places[1] > 0.1)
        lengths[:, ::3] = 0.0
        lengths[1, -9:] = 0.0  # enough for a tile that sees nothing
        rays = [tensor.to(DEVICE, dtype) for tensor in (origins, directions, distances, lengths)]
        shape = (2, self.rays)
        gradients = [tensor.to(DEVICE, dtype) for tensor in (draw(*shape, self.channels), draw(*shape), draw(*shape))]
        bounds = BOUNDS.to(DEVICE, dtype) if self.box else None
        planes = planes.to(DEVICE, dtype).requires_grad_()
        return PlaneField(family, planes, bounds), rays, gradients


class Exact(Field):
    """A field of planes in the precision of its tensors, written down once more."""

    def __init__(self, field: PlaneField) -> None:
        self.field, self.channels = field, field.channels

    def __call__(self, points, directions):
        family, config = self.field.family, self.field.family.config
        if self.field.bounds is not None:
            low, high = self.field.bounds[:, :1], self.field.bounds[:, 1:]
            points = (points - low) / (high - low) * 2 - 1
        activation = torch.relu if config.activation == "relu" else functional.softplus
        values = family.output(activation(family.hidden(plane_features(self.field.planes, points))))
        channels = values[..., 1 : 1 + self.channels]
        if config.view_degree:
            waves = values[..., 1 + self.channels :].unflatten(-1, (-1, self.channels))
            channels = channels + torch.einsum("bnd,bndc->bnc", harmonics(directions, config.view_degree), waves)
        if config.space == "rgb":
            channels = torch.sigmoid(channels) * 1.002 - 0.001
        return Samples(config.density_gain * functional.softplus(values[..., 0] - 1), channels)


def fused(field, *rays, precision="ieee", **options):
    return fused_march(field.planes, field.bounds, field.tiny_decoder(), *rays, precision=precision, **options)


def plain(field, *rays):
    return Exact(field).plain_march(*rays)


def run(march, case, dtype=torch.float32, gradients=None, **options):
    """All that comes out and all gradients, by name."""
    field, rays, drawn = case.tensors(dtype)
    seen = march(field, *rays, **options)
    torch.autograd.backward(seen, drawn if gradients is None else gradients)
    parameters = dict(field.family.named_parameters())
    found = [*seen, field.planes.grad, *(parameters[name].grad for name in NAMES[4:])]
    return {name: tensor.detach().double() for name, tensor in zip(NAMES, found, strict=True)}


def assert_near(found, wanted, tolerance=TOLERANCE):
    for name in NAMES:
        difference = float((found[name] - wanted[name]).abs().max() / wanted[name].abs().max())
        assert difference < tolerance, f"{name}: {difference:.1e}"


CASES = {
    "wide": Case(32, 64, 3, 16, 0, "softplus", "rgb"),
    "degree 1": Case(10, 24, 3, 5, 1, "relu", "rgb", rays=30),
    "degree 2": Case(10, 24, 3, 12, 2, "softplus", "rgb", box=False),
    "latent": Case(10, 24, 16, 12, 0, "relu", "latent", box=False),
    "latent, degree 2": Case(10, 24, 16, 5, 2, "softplus", "latent"),
    "one of each": Case(5, 8, 1, 1, 1, "relu", "latent"),
    "long": Case(3, 17, 2, 64, 1, "softplus", "latent", rays=11),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_equals_the_plain_form(case):
    assert_near(run(fused, case), run(plain, case, torch.float64))


@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    st.builds(
        Case,
        features=st.integers(1, 20),
        hidden=st.integers(1, 40),
        channels=st.integers(1, 16),
        samples=st.integers(2, 20),
        degree=st.integers(0, 2),
        activation=st.sampled_from(["relu", "softplus"]),
        space=st.just("latent"),
        box=st.booleans(),
        rays=st.integers(10, 20),
        seed=st.integers(0, 99),
    )
)
def test_equals_the_plain_form_whatever_the_sizes(case):
    assert_near(run(fused, case), run(plain, case, torch.float64))


def test_the_plain_form_here_is_that_of_fields():
    field, rays, _ = CASES["degree 2"].tensors()
    for found, wanted in zip(plain(field, *rays), field.plain_march(*rays), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter computes in float32 whatever the precision")
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 5e-3), ("tf32x3", 1e-4)])
def test_products_of_tensor_cores_are_near(precision, tolerance):
    for case in (CASES["wide"], CASES["degree 2"], CASES["latent"]):
        assert_near(run(fused, case, precision=precision), run(plain, case, torch.float64), tolerance)


def test_rays_that_miss_see_nothing():
    field, rays, _ = CASES["degree 1"].tensors()
    missing = (rays[-1] == 0).all(-1)
    assert missing.any() and not missing.all()
    channels, opacity, depth = fused(field, *rays)
    assert not channels[missing].any() and not opacity[missing].any() and not depth[missing].any()
    assert bool((opacity[~missing] > 0).all())
    nothing = fused(field, *rays[:3], torch.zeros_like(rays[3]))
    torch.autograd.backward(nothing, [torch.ones_like(tensor) for tensor in nothing])
    assert not nothing[1].any() and not field.planes.grad.any() and not field.family.hidden.weight.grad.any()


def test_no_rays_are_no_error():
    field, rays, _ = CASES["degree 1"].tensors()
    channels, opacity, _ = fused(field, *(tensor[:, :0] for tensor in rays))
    assert channels.shape == (2, 0, 3) and opacity.shape == (2, 0)
    (channels.sum() + opacity.sum()).backward()
    assert not field.planes.grad.any()


def test_what_is_frozen_gets_no_gradient_and_changes_no_other():
    case = CASES["latent"]
    both = run(fused, case)
    field, rays, gradients = case.tensors()
    field.family.requires_grad_(False)
    torch.autograd.backward(fused(field, *rays), gradients)
    assert all(parameter.grad is None for parameter in field.family.parameters())
    assert torch.equal(field.planes.grad.double(), both["planes"])

    field, rays, gradients = case.tensors()
    field.planes.requires_grad_(False)
    field.family.hidden.bias.requires_grad_(False)
    torch.autograd.backward(fused(field, *rays), gradients)
    assert field.planes.grad is None and field.family.hidden.bias.grad is None
    assert torch.equal(field.family.output.weight.grad.double(), both["output.weight"])


def test_programs_that_take_several_tiles_add_them_up(monkeypatch):
    case = CASES["degree 1"]
    wanted = run(plain, case, torch.float64)
    monkeypatch.setattr(fused_triton, "PROGRAMS", 3)
    assert_near(run(fused, case), wanted)


def test_two_runs_give_the_same_bits():
    first, second = run(fused, CASES["wide"]), run(fused, CASES["wide"])
    for name in NAMES:
        assert torch.equal(first[name], second[name]), name


def test_gradients_of_planes_do_not_depend_on_the_order_of_tiles():
    case = replace(CASES["degree 1"], rays=32)
    field, rays, gradients = case.tensors()
    tile, _ = tile_of(field.tiny_decoder(), case.features, case.samples, True, "ieee", True)
    assert case.rays // tile.rays >= 4
    order = torch.arange(case.rays, device=DEVICE).view(-1, tile.rays).flip(0).flatten()
    torch.autograd.backward(fused(field, *rays), gradients)
    forth, field.planes.grad = field.planes.grad, None
    turned = fused(field, *(tensor[:, order] for tensor in rays))
    torch.autograd.backward(turned, [tensor[:, order] for tensor in gradients])
    assert torch.equal(forth, field.planes.grad)


def test_gradients_that_add_floats_are_near():
    assert_near(run(fused, CASES["degree 1"], deterministic=False), run(plain, CASES["degree 1"], torch.float64))


@pytest.mark.parametrize("exponent", [-60, 40])
def test_faint_and_loud_gradients_are_as_fine_as_others(exponent):
    case = CASES["one of each"]
    factor = 2.0**exponent
    gradients = [factor * tensor for tensor in case.tensors()[2]]
    found, wanted = run(fused, case, gradients=gradients), run(fused, case)
    assert torch.equal(found["planes"], factor * wanted["planes"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_are_not_hidden(value):
    field, rays, gradients = CASES["one of each"].tensors()
    gradients[0][0, 1, 0] = value
    torch.autograd.backward(fused(field, *rays), gradients)
    assert bool(field.planes.grad.isnan().all())


def test_takes_planes_in_half_the_bits():
    case = CASES["degree 1"]
    field, rays, gradients = case.tensors()
    halved = field.planes.detach().bfloat16().requires_grad_()
    torch.autograd.backward(fused(PlaneField(field.family, halved, field.bounds), *rays), gradients)
    field.family.zero_grad()
    full = halved.detach().float().requires_grad_()
    torch.autograd.backward(fused(PlaneField(field.family, full, field.bounds), *rays), gradients)
    assert halved.grad.dtype == torch.bfloat16
    assert torch.equal(halved.grad, full.grad.bfloat16())


def test_sizes_that_fit_no_tile_are_an_error():
    field, rays, _ = Case(samples=65).tensors()
    assert not fits(field.planes, field.tiny_decoder(), 65) and fits(field.planes, field.tiny_decoder(), 64)
    with pytest.raises(ValueError, match="65 samples a ray"):
        fused(field, *rays)


def test_available_asks_for_one_kind_of_device(monkeypatch):
    here = torch.zeros(1, device=DEVICE)
    assert available(here, here) and not available(here, torch.zeros(1, device="meta"))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not available(torch.zeros(1))
