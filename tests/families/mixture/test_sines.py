"""Sines by the compiled kernel against numpy's in float64: values, slopes, slopes of slopes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.families.mixture import sines
from manyfields.families.mixture.sines import sine

pytest.importorskip("numba")


@pytest.fixture
def compiled_alone(monkeypatch):
    """The plain form is not taken."""

    def refused(angles: torch.Tensor) -> None:
        raise AssertionError("plain sines")

    monkeypatch.setattr(torch, "sin", refused)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 700), st.floats(0.01, 2000.0), st.integers(0, 99))
def test_values_and_slopes(count, largest, seed):
    angles = largest * (2.0 * torch.rand(count, 16, generator=torch.Generator().manual_seed(seed)) - 1.0)
    angles.requires_grad_()
    found = sine(angles)
    found.sum().backward()
    exact = angles.detach().double().numpy()
    assert np.abs(found.detach().numpy() - np.sin(exact)).max() < 4e-7
    assert np.abs(angles.grad.numpy() - np.cos(exact)).max() < 4e-7


def test_halves_are_rounded_and_stand_in_order(compiled_alone):
    angles = (20.0 * torch.randn(6, 33, 32)).bfloat16().requires_grad_()
    found = sine(angles)
    found.sum().backward()
    exact = angles.detach().double().numpy()
    assert found.dtype == angles.grad.dtype == torch.bfloat16
    # Half of the last of 8 bits.
    assert np.abs(found.detach().float().numpy() - np.sin(exact)).max() <= 2.0**-9 + 1e-6
    assert np.abs(angles.grad.float().numpy() - np.cos(exact)).max() <= 2.0**-9 + 1e-6


def test_special_angles():
    angles = torch.tensor([0.0, -0.0, np.pi / 2, -np.pi / 2, np.pi, 1e-30, 3e3, -3e3] * 2)
    assert np.allclose(sine(angles).numpy(), np.sin(angles.double().numpy()), atol=4e-7)


def test_second_derivatives_through_functions_of_functions(compiled_alone):
    """As meta-learning takes them: a gradient of a step by a gradient."""

    def stepped(start: torch.Tensor, scale: torch.Tensor, of) -> torch.Tensor:
        slope = torch.func.grad(lambda x: of(scale * x).square().sum())(start)
        return of(scale * (start - 0.1 * slope)).sum()

    start, scale = torch.linspace(-1.0, 2.0, 32), torch.tensor(1.5, requires_grad=True)
    (found,) = torch.autograd.grad(stepped(start, scale, sine), scale)
    exact_scale = scale.detach().double().requires_grad_()
    exact = stepped(start.double(), exact_scale, lambda x: (x - torch.pi / 2).cos())
    (wanted,) = torch.autograd.grad(exact, exact_scale)
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("shape", [(0,), (3,), (5, 7)])
def test_other_counts_are_plain(shape, monkeypatch):
    monkeypatch.setattr(sines, "CompiledSine", None)
    angles = torch.rand(shape)
    assert torch.equal(sine(angles), torch.sin(angles))


def test_any_number_of_threads_gives_the_same_bits():
    angles, threads = 50.0 * torch.randn(40_000, 16), torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(sine(angles))
    torch.set_num_threads(threads)
    assert torch.equal(*found)


def test_plain_only_is_heeded(monkeypatch):
    monkeypatch.setattr(sines, "CompiledSine", None)
    with plain_only():
        assert torch.equal(sine(torch.ones(16)), torch.sin(torch.ones(16)))
