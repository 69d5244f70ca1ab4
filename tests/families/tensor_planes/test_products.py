import pytest
import torch
import torch.nn.functional as functional

import manyfields.compiled as compiled
from manyfields.families.tensor_planes.grids import Factors
from manyfields.families.tensor_planes.products import products, summed_products


def by_grid_sample(factors: Factors, places: torch.Tensor) -> torch.Tensor:
    """TensoRF's own way: each plane and vector by `grid_sample`, in the axes that its paper names."""
    at = 2 * places - 1
    lines = []
    for vector, axis in zip(factors.vectors, (2, 1, 0), strict=True):
        grid = torch.stack([torch.zeros_like(at[:, axis]), at[:, axis]], -1).view(1, -1, 1, 2)
        image = vector.T[None, :, :, None]
        lines.append(functional.grid_sample(image, grid, align_corners=True, padding_mode="border")[0, :, :, 0].T)
    if not factors.planes:
        return lines[0] * lines[1] * lines[2]
    found = []
    for plane, line, axes in zip(factors.planes, lines, ([0, 1], [0, 2], [1, 2]), strict=True):
        image, grid = plane.permute(2, 0, 1)[None], at[:, axes].view(1, -1, 1, 2)
        sampled = functional.grid_sample(image, grid, align_corners=True, padding_mode="border")[0, :, :, 0].T
        found.append(sampled * line)
    return torch.cat(found, 1)


def some(kind: str, components: int, dtype=torch.float32, count: int = 700) -> tuple[Factors, torch.Tensor]:
    draw = torch.Generator().manual_seed(components)
    factors = Factors.random(kind, (5, 6, 7), components, draw)
    places = 1.2 * torch.rand(count, 3, generator=draw) - 0.1  # some lie outside
    places[:3] = torch.tensor([[0.0, 0, 0], [1.0, 1, 1], [0.25, 0.2, 1.0]])
    return factors.with_tensors([10 * tensor.to(dtype) for tensor in factors.tensors]), places.to(dtype)


def learning(factors: Factors) -> Factors:
    return factors.with_tensors([tensor.clone().requires_grad_() for tensor in factors.tensors])


@pytest.mark.parametrize("kind", ["vm", "cp"])
def test_products_are_those_of_grid_sample(kind):
    factors, places = some(kind, 3, torch.float64)
    torch.testing.assert_close(products(factors, places), by_grid_sample(factors, places))
    torch.testing.assert_close(summed_products(factors, places), by_grid_sample(factors, places).sum(-1))


@pytest.mark.parametrize("kind", ["vm", "cp"])
@pytest.mark.parametrize("components", [3, 8, 16, 24, 48])
@pytest.mark.parametrize("summed", [False, True])
def test_compiled_products_and_gradients_are_the_plain_ones(kind, components, summed, monkeypatch):
    factors, places = some(kind, components)
    function = summed_products if summed else products
    exact = learning(factors.with_tensors([tensor.double() for tensor in factors.tensors]))
    expected = function(exact, places.double())
    wanted = torch.randn(expected.shape, generator=torch.Generator().manual_seed(5))
    wanted[100:200] = 0.0  # what is not seen gives no gradient
    expected.backward(wanted.double())

    from manyfields.families.tensor_planes import product_kernels as tensor_kernels

    calls = []
    usual = tensor_kernels.backward
    monkeypatch.setattr(tensor_kernels, "backward", lambda *args: (calls.append(1), usual(*args))[1])
    learned = learning(factors)
    found = function(learned, places)
    found.backward(wanted)
    assert calls, "the compiled form was not taken"
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-4)
    for own, other in zip(learned.tensors, exact.tensors, strict=True):
        torch.testing.assert_close(own.grad.double(), other.grad, atol=2e-3, rtol=1e-3)


def test_gradients_do_not_depend_on_threads():
    factors, places = some("vm", 16, count=3000)
    found = []
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            learned = learning(factors)
            products(learned, places).square().sum().backward()
        finally:
            torch.set_num_threads(before)
        found.append([tensor.grad for tensor in learned.tensors])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_forbidden_kernels_go_the_plain_way():
    wide, places = some("vm", 16)
    assert products(learning(wide), places).grad_fn.name() == "_CompiledProductsBackward"
    with compiled.plain_only():
        assert products(learning(wide), places).grad_fn.name() != "_CompiledProductsBackward"
