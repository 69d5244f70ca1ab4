"""The compiled march and error of rays against the plain form in float64: values, and the gradients of everything."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.fields import Codes
from manyfields.rendering import fused_cpu

numba = pytest.importorskip("numba")

LEARNED = ("planes", "hidden.weight", "hidden.bias", "output.weight", "output.bias")
TOLERANCE = 5e-6  # of the largest number of a tensor; 1e-6 was seen


def march(field: PlaneField, *rays: torch.Tensor):
    return fused_cpu.march(field.texels(), field.tiny_decoder(), *rays)


def march_error(field: PlaneField, *rays: torch.Tensor):
    return fused_cpu.march_error(field.texels(), field.tiny_decoder(), *rays, learned=field.learned_texels)


def densities(field: PlaneField, points: torch.Tensor):
    return fused_cpu.densities(field.texels(), field.tiny_decoder(), points)


@dataclass(frozen=True)
class Case:
    """Objects with rays that meet their boxes or not, colours to learn, and scales."""

    objects: int = 3
    features: int = 10
    hidden: int = 24
    channels: int = 3
    samples: int = 12
    degree: int = 0
    space: str = "rgb"
    box: bool = True
    rays: int = 17
    side: int = 9
    gain: float = 15.0
    seed: int = 0

    def family(self, generator: torch.Generator) -> FusedPlanes:
        config = FusedPlanesConfig(
            *(self.features, 0, 0),
            resolution=self.side,
            hidden=self.hidden,
            channels=self.channels,
            space=self.space,
            activation="relu",
            span="box" if self.box else "cube",
            view_degree=self.degree,
            density_gain=self.gain,
        )
        return FusedPlanes(config, generator)

    def tensors(self, dtype: torch.dtype = torch.float32) -> tuple[PlaneField, list, list]:
        """The field, its rays (origins, directions, distances, lengths), and colours, scales and background."""
        generator = torch.Generator().manual_seed(self.seed)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        shape = (self.objects, self.rays)
        family = self.family(generator)
        planes = draw(self.objects, 3, self.side, self.side, self.features)
        low, high = -0.2 - 0.7 * draw(self.objects, 1, 3).sigmoid(), 0.2 + 0.7 * draw(self.objects, 1, 3).sigmoid()
        bounds = torch.cat([low, high], 1)
        directions = functional.normalize(draw(*shape, 3), dim=-1)
        origins = 0.2 * draw(*shape, 3) - 1.2 * directions  # many points lie outside of the box
        places = torch.rand(2, *shape, self.samples, generator=generator, dtype=torch.float64)
        distances = 2.4 * places[0].sort(-1).values
        # Thin enough that no ray becomes opaque; a tenth of the samples, in the middle of rays, count for nothing.
        lengths = 0.02 * places[1] * (places[1] > 0.1)
        lengths[:, ::3] = 0.0  # rays that miss
        target = [torch.rand(*shape, self.channels, generator=generator), torch.rand(*shape, generator=generator)]
        target.append(torch.rand(self.channels, generator=generator))
        # Rounded first, so that both precisions see the same numbers.
        rays = [tensor.float().to(dtype) for tensor in (origins, directions, distances, lengths)]
        planes, bounds = planes.float().to(dtype), bounds.float().to(dtype)
        field = PlaneField(family.to(dtype), planes.requires_grad_(), bounds if self.box else None)
        return field, rays, [tensor.to(dtype) for tensor in target]


def plain_error(field, *arguments):
    *rays, colors, scales, background = arguments
    channels, opacity, _ = field.plain_march(*rays)
    seen = channels + (1.0 - opacity).unsqueeze(-1) * background
    return (scales.unsqueeze(-1) * (seen - colors).square()).sum()


def parameters_of(field: PlaneField) -> dict[str, torch.Tensor]:
    named = dict(field.family.named_parameters())
    return {"planes": field.table, **{name: named[name] for name in LEARNED[1:]}}


def learn(error, field: PlaneField, rays: list, target: list) -> dict[str, torch.Tensor]:
    """The error and all gradients, by name."""
    value = error(field, *rays, *target)
    value.backward()
    found = {name: tensor.grad.double() for name, tensor in parameters_of(field).items() if tensor.grad is not None}
    return {"error": value.detach().double(), **found}


def assert_near(found, wanted, tolerance=TOLERANCE):
    assert found.keys() == wanted.keys()
    # A gradient of few numbers may be next to nothing, as what its many terms cancel down to.
    least = 0.01 * max(float(wanted[name].abs().max()) for name in wanted)
    for name in wanted:
        most = max(float(wanted[name].abs().max()), least)
        difference = float((found[name] - wanted[name]).abs().max()) / most
        assert difference < tolerance, f"{name}: {difference:.1e}"


cases = st.builds(
    Case,
    objects=st.sampled_from([1, 2, 5]),
    features=st.sampled_from([1, 10, 16, 32, 33]),
    hidden=st.sampled_from([1, 24, 32, 64]),
    channels=st.just(3),
    samples=st.sampled_from([1, 3, 4, 13]),
    degree=st.integers(0, 2),
    space=st.sampled_from(["rgb", "latent"]),
    box=st.booleans(),
    rays=st.sampled_from([1, 3, 17]),
    side=st.sampled_from([2, 9]),
    seed=st.integers(0, 99),
) | st.builds(
    Case,
    space=st.just("latent"),
    channels=st.sampled_from([1, 4, 16]),
    degree=st.integers(0, 2),
    seed=st.integers(0, 9),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cases)
def test_error_and_gradients_are_those_of_the_plain_form(case):
    field, rays, target = case.tensors()
    assert field.takes(*rays, *target)
    exact = case.tensors(torch.float64)
    found, wanted = learn(march_error, field, rays, target), learn(plain_error, *exact)
    if not rays[-1].any():
        assert not any(found[name].any() for name in LEARNED)
        wanted = {"error": wanted["error"]}
        found = {"error": found["error"]}
    assert_near(found, wanted)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(cases)
def test_rays_are_those_of_the_plain_form(case):
    field, rays, _ = case.tensors()
    exact, exact_rays, _ = case.tensors(torch.float64)
    missing = (rays[-1] == 0).all(-1)
    for found, wanted in zip(march(field, *rays), exact.plain_march(*exact_rays), strict=True):
        torch.testing.assert_close(found.double(), wanted, atol=5e-6, rtol=5e-6)
        assert not found[missing].any() and not found.requires_grad


@settings(max_examples=20, deadline=None, derandomize=True)
@given(cases)
def test_densities_are_those_of_the_field(case):
    field, _, _ = case.tensors()
    exact, _, _ = case.tensors(torch.float64)
    points = 1.5 * torch.randn(case.objects, 600, 3, generator=torch.Generator().manual_seed(case.seed))
    found = densities(field, points)
    torch.testing.assert_close(found.double(), exact(points.double()).density, atol=5e-6, rtol=5e-6)
    assert not found.requires_grad


@pytest.mark.parametrize("degree", [0, 2])
def test_opaque_rays_end_early_with_what_one_part_in_ten_thousand_may_change(degree):
    case = Case(gain=400.0, degree=degree, samples=30)
    field, rays, target = case.tensors()
    exact, exact_rays, _ = case.tensors(torch.float64)
    seen, wanted = march(field, *rays), exact.plain_march(*exact_rays)
    assert int((wanted[1] > 0.9999).sum()) > 5
    for found, expected in zip(seen, wanted, strict=True):
        torch.testing.assert_close(found.double(), expected, atol=3e-4, rtol=0)
    found = learn(march_error, field, rays, target)
    expected = learn(plain_error, *case.tensors(torch.float64))
    assert_near(found, expected, 2e-3)


def test_gradients_grow_with_what_the_error_is_multiplied_with():
    once = learn(march_error, *Case().tensors())
    twice = learn(lambda *arguments: 2.0 * march_error(*arguments), *Case().tensors())
    for name in LEARNED:
        assert torch.equal(twice[name], 2.0 * once[name]), name


def test_gradients_reach_codes_and_base_planes():
    def run(dtype, error):
        config = FusedPlanesConfig(3, 4, 2, resolution=7, hidden=8, channels=3, space="rgb", activation="relu")
        family = FusedPlanes(config, torch.Generator().manual_seed(0))
        with torch.no_grad():
            for parameter in family.parameters():
                parameter.mul_(2)
        codes = family.new_codes(3, torch.Generator().manual_seed(1)).tensors
        tensors = {name: tensor.to(dtype).requires_grad_() for name, tensor in codes.items()}
        family.to(dtype)
        _, rays, target = Case(box=False, side=7).tensors(dtype)
        error(family.field(Codes(tensors)), *rays, *target).backward()
        learned = {**tensors, **dict(family.named_parameters())}
        return {name: tensor.grad.double() for name, tensor in learned.items()}

    found, wanted = run(torch.float32, march_error), run(torch.float64, plain_error)
    assert set(wanted) == {"micro", "weights", "bias", "base", *LEARNED[1:]}
    assert_near(found, wanted)


@pytest.mark.parametrize("objects", [1, 5])
def test_a_frozen_decoder_gets_no_gradient_and_changes_no_other(objects):
    case = Case(objects, degree=1)
    whole = learn(march_error, *case.tensors())
    field, rays, target = case.tensors()
    field.family.requires_grad_(False)
    found = learn(march_error, field, rays, target)
    assert set(found) == {"error", "planes"}
    assert torch.equal(found["planes"], whole["planes"]) and torch.equal(found["error"], whole["error"])


def test_planes_that_are_frozen_leave_the_decoder_to_learn():
    whole = learn(march_error, *Case().tensors())
    field, rays, target = Case().tensors()
    field.table.requires_grad_(False)
    field.family.hidden.bias.requires_grad_(False)
    found = learn(march_error, field, rays, target)
    assert set(found) == {"error", "hidden.weight", "output.weight", "output.bias"}
    assert all(torch.equal(found[name], whole[name]) for name in found)


def test_the_background_does_not_learn():
    field, rays, target = Case().tensors()
    target[2].requires_grad_()
    learn(march_error, field, rays, target)
    assert target[2].grad is None


@pytest.mark.parametrize("rows", [[4, 0, 2], [3]])
def test_a_table_of_more_objects_of_which_some_features_learn_is_the_same_as_their_planes(rows):
    case = Case(objects=len(rows), features=20)
    field, rays, target = case.tensors()
    table = torch.randn(5, 3, 9, 9, 20, generator=torch.Generator().manual_seed(1))
    learned = table[rows][..., :6].contiguous().requires_grad_()
    some = PlaneField(field.family, table, field.bounds, torch.tensor(rows), learned)
    assert len(some) == len(rows) and some.takes(*rays, *target)
    for found, wanted in zip(march(some, *rays), some.plain_march(*rays), strict=True):
        torch.testing.assert_close(found, wanted, atol=5e-6, rtol=5e-6)
    points = torch.randn(len(rows), 40, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(densities(some, points), some(points).density, atol=5e-6, rtol=5e-6)

    planes = table[rows].clone().requires_grad_()
    whole = learn(march_error, PlaneField(field.family, planes, field.bounds), rays, target)
    field.family.zero_grad()
    error = march_error(some, *rays, *target)
    error.backward()
    assert error.item() == whole["error"].item()
    assert learned.grad.shape == learned.shape and table.grad is None
    torch.testing.assert_close(learned.grad.double(), whole["planes"][..., :6])
    for name, parameter in field.family.named_parameters():
        assert torch.equal(parameter.grad.double(), whole[name]), name


@pytest.mark.parametrize("objects", [1, 5])
def test_the_same_bits_on_every_run_and_with_any_number_of_threads(objects):
    case = Case(objects, rays=150, degree=1)
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 1, 2):
            torch.set_num_threads(threads)
            field, rays, target = case.tensors()
            assert field.takes(*rays)
            assert numba.get_num_threads() == min(threads, numba.config.NUMBA_NUM_THREADS)
            seen = dict(zip(("channels", "opacity", "depth"), march(field, *rays), strict=True))
            runs.append({**learn(march_error, field, rays, target), **seen})
    finally:
        torch.set_num_threads(before)
    for name, tensor in runs[0].items():
        assert torch.equal(tensor, runs[1][name]), f"{name}: two runs"
        assert torch.equal(tensor, runs[2][name]), f"{name}: two threads"


def test_tensors_may_lie_in_memory_as_they_like():
    """Transposed, expanded and cut tensors give what their copies in order give."""
    case = Case()
    field, rays, target = case.tensors()

    def strewn(tensor):
        return tensor.transpose(0, -2).contiguous().transpose(0, -2)

    expected = learn(march_error, field, rays, target)
    seen = march(field, *rays)
    points = torch.randn(3, 40, 3, generator=torch.Generator().manual_seed(2))
    density = densities(field, points)

    field, rays, target = case.tensors()
    table = strewn(field.table.detach()).requires_grad_()
    field = PlaneField(field.family, table, strewn(field.bounds))
    rays, target = [strewn(tensor) for tensor in rays], [strewn(target[0]), target[1].T.contiguous().T, target[2]]
    for found, wanted in zip(march(field, *rays), seen, strict=True):
        assert torch.equal(found, wanted)
    found = learn(march_error, field, rays, target)
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert torch.equal(densities(field, strewn(points)), density)
    spot = points[:, :1].expand(-1, 7, -1)
    torch.testing.assert_close(densities(field, spot), field(spot.contiguous()).density)


def test_no_rays_are_no_error():
    field, rays, target = Case().tensors()
    none = [tensor[:, :0] for tensor in rays]
    channels, opacity, depth = march(field, *none)
    assert channels.shape == (3, 0, 3) and opacity.shape == depth.shape == (3, 0)
    error = march_error(field, *none, target[0][:, :0], target[1][:, :0], target[2])
    error.backward()
    assert float(error.detach()) == 0.0 and not field.table.grad.any()


def test_gradients_are_taken_once():
    field, rays, target = Case().tensors()
    error = march_error(field, *rays, *target)
    error.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="taken already"):
        error.backward()


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 2], [3]])
@pytest.mark.parametrize("learned", [False, True])
def test_gradients_of_some_rows_of_a_table_go_to_these_objects(rows, learned):
    """Also where an object is drawn twice, and where some features learn on their own."""
    case = Case(objects=4)
    field, rays, target = case.tensors(torch.float64)
    some = torch.tensor(rows)

    def of_rows(dtype):
        table = field.table.detach().to(dtype).requires_grad_()
        leading = table.detach()[some][..., :4].clone().requires_grad_() if learned else None
        family = case.family(torch.Generator().manual_seed(case.seed)).to(dtype)
        return PlaneField(family, table, field.bounds[some].to(dtype), rows=some, learned=leading)

    def gradients(error, dtype):
        own = of_rows(dtype)
        inputs = [tensor[some].to(dtype) for tensor in rays]
        colors, scales, background = (tensor.to(dtype) for tensor in target)
        error(own, *inputs, colors[some], scales[some], background).backward()
        return own.learned.grad if learned else own.table.grad

    exact = gradients(plain_error, torch.float64)
    found = gradients(march_error, torch.float32)
    assert float((found.double() - exact).abs().max() / exact.abs().max()) < TOLERANCE
    if not learned:
        others = [row for row in range(4) if row not in rows]
        assert not found[others].any() and bool(found[rows].flatten(1).any(1).all())


def test_features_that_learn_on_their_own_are_those_that_are_seen():
    case = Case(objects=2)
    field, _, _ = case.tensors()
    learned = field.table.detach()[..., :3] + 1.0
    own = PlaneField(field.family, field.table.detach(), field.bounds, learned=learned)
    assert torch.equal(own.planes[..., :3], learned) and torch.equal(own.planes[..., 3:], field.table[..., 3:])
    assert torch.equal(own[1].planes, own.planes[1:])
