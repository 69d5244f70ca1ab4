"""Which form is taken for which field, and that all forms say the same."""

import subprocess
import sys

import pytest
import torch

from manyfields.compiled import compiled_for, plain_only
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.fields import Field, Samples
from manyfields.rendering import densities, fused_cpu

FORMS = ("march", "march_error", "densities")


def some_field(side: int = 6, dtype=torch.float32, **changes) -> PlaneField:
    sizes = {"channels": 3, "space": "rgb", "activation": "relu", "span": "box", "resolution": side, **changes}
    family = FusedPlanes(FusedPlanesConfig(2, 3, 4, hidden=8, **sizes), torch.Generator().manual_seed(0)).to(dtype)
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    bounds = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]]]).to(dtype)
    for name, tensor in codes.tensors.items():
        codes.tensors[name] = tensor.to(dtype)
    return family.field(codes, bounds=bounds)


def some_rays(dtype=torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    directions = torch.nn.functional.normalize(torch.randn(2, 9, 3, generator=generator), dim=-1)
    distances = (0.5 + torch.rand(2, 9, 5, generator=generator)).sort(-1).values
    lengths = 0.2 * (torch.rand(2, 9, 5, generator=generator) - 0.2).clamp(min=0.0)
    return [tensor.to(dtype) for tensor in (-directions, directions, distances, lengths)]


def some_target(dtype=torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((2, 9, 3), (2, 9), (3,))
    return [torch.rand(shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.fixture
def taken(monkeypatch) -> list[str]:
    """Names of the compiled forms that were called."""
    names: list[str] = []

    def watched(name, real):
        return lambda *arguments, **named: names.append(name) or real(*arguments, **named)

    for name in FORMS:
        monkeypatch.setattr(fused_cpu, name, watched(name, getattr(fused_cpu, name)))
    return names


def use_all(field, dtype=torch.float32) -> list[torch.Tensor]:
    rays = some_rays(dtype)
    with torch.no_grad():
        seen = field.march(*rays)
    return [*seen, field.march_error(*rays, *some_target(dtype)).detach(), densities(field, rays[0] + rays[1] / 2)]


def test_fields_of_planes_on_a_cpu_take_the_compiled_forms(taken):
    pytest.importorskip("numba")
    field = some_field()
    found = use_all(field)
    assert taken == list(FORMS)
    with plain_only():
        wanted = use_all(field)
    assert taken == list(FORMS)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    # With gradients rays are marched in the form that has them.
    channels, _, _ = field.march(*some_rays())
    assert taken == list(FORMS) and channels.requires_grad


OTHERS = {
    "softplus": lambda: (some_field(activation="softplus"), torch.float32),
    "float64": lambda: (some_field(dtype=torch.float64), torch.float64),
    "not square": lambda: (not_square(), torch.float32),
    "no planes": lambda: (Waves(), torch.float32),
}


def not_square() -> PlaneField:
    field = some_field()
    return PlaneField(field.family, field.table.detach()[..., :4, :].contiguous(), field.bounds)


class Waves(Field):
    """A field that has no texels."""

    channels = 3

    def __call__(self, points, directions=None):
        b = torch.arange(len(points), dtype=points.dtype).view(-1, 1)
        x, y, _ = points.unbind(-1)
        return Samples(6 * torch.sin(3 * x + y).abs() + b, torch.sin(5 * points))


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_compiled_forms_cannot_do_is_done_in_the_plain_one(taken, name):
    field, dtype = OTHERS[name]()
    rays = some_rays(dtype)
    found = use_all(field, dtype)
    assert taken == []
    with torch.no_grad():
        channels, opacity, depth = field.plain_march(*rays)
        colors, scales, background = some_target(dtype)
        seen = channels + (1 - opacity)[..., None] * background
        error = (scales[..., None] * (seen - colors) ** 2).sum()
        density = field(rays[0] + rays[1] / 2).density
    for one, other in zip(found, [channels, opacity, depth, error, density], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_background_of_an_error_does_not_learn_in_any_form(compiled):
    field = some_field(activation="relu" if compiled else "softplus")
    colors, scales, background = some_target()
    background.requires_grad_()
    field.march_error(*some_rays(), colors, scales, background).backward()
    assert background.grad is None
    assert field.family.output.weight.grad.abs().sum() > 0


def test_plain_only_ends_with_its_block_and_holds_in_blocks_within():
    pytest.importorskip("numba")
    number = torch.zeros(1)
    assert compiled_for(number)
    with plain_only():
        with plain_only():
            assert not compiled_for(number)
        assert not compiled_for(number)
    with pytest.raises(KeyError), plain_only():
        raise KeyError
    assert compiled_for(number)


def test_an_environment_variable_forbids_compiled_forms():
    code = "import torch; from manyfields.compiled import compiled_for; print(compiled_for(torch.zeros(1)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"MANYFIELDS_COMPILED": "0"}
    )
    assert done.stdout.strip() == "False", done.stderr
