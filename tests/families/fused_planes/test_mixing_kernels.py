"""Planes mixed by the compiled kernel: values and gradients are those of tensor operations in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Codes

pytest.importorskip("numba")


def mixed(sizes: tuple, objects: int, seed: int, dtype=torch.float32, frozen: tuple[str, ...] = (), strewn=False):
    """Planes of random codes, and the gradients of a weighted sum of them, by name."""
    micro, macro, groups, count, side = sizes
    config = FusedPlanesConfig(
        micro, macro * groups, count, resolution=side, hidden=4, channels=2, weight_groups=groups
    )
    generator = torch.Generator().manual_seed(seed)
    family = FusedPlanes(config, generator).to(dtype)
    tensors = {name: tensor.to(dtype) for name, tensor in family.new_codes(objects, generator).tensors.items()}
    tensors["bias"] = torch.randn(objects, 1, generator=generator).to(dtype)
    level = torch.randint(1, 3, (objects,), generator=generator)
    planes_shape = (objects, 3, side, side, micro + macro * groups)
    factors = torch.randn(planes_shape, generator=generator).to(dtype)
    if strewn:
        factors = factors.transpose(1, 4).contiguous().transpose(1, 4)
    leaves = {**tensors, "base": family.base}
    for name, tensor in leaves.items():
        tensor.requires_grad_(name not in frozen)
    planes = family.planes(Codes(tensors), level)
    planes.backward(factors)
    return planes.detach(), {name: tensor.grad for name, tensor in leaves.items()}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.tuples(
        st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 2, 3]), st.integers(1, 4), st.sampled_from([2, 7])
    ),
    st.integers(1, 4),
    st.integers(0, 99),
    st.booleans(),
)
def test_planes_and_gradients_are_those_of_tensor_operations(sizes, objects, seed, strewn):
    planes, gradients = mixed(sizes, objects, seed, strewn=strewn)
    exact, wanted = mixed(sizes, objects, seed, torch.float64)
    torch.testing.assert_close(planes.double(), exact, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == wanted.keys() == {"micro", "weights", "bias", "base"}
    for name, gradient in gradients.items():
        scale = float(wanted[name].abs().max())
        torch.testing.assert_close(gradient.double(), wanted[name], atol=1e-5 * scale + 1e-7, rtol=0, msg=name)


SIZES = (3, 4, 2, 3, 7)


@pytest.mark.parametrize("frozen", ["micro", "weights", "base"])
def test_what_is_frozen_gets_no_gradient_and_changes_no_other(frozen):
    planes, wanted = mixed(SIZES, 3, 0)
    again, found = mixed(SIZES, 3, 0, frozen=(frozen,))
    assert torch.equal(planes, again) and found.pop(frozen) is None
    for name, gradient in found.items():
        assert torch.equal(gradient, wanted[name]), name


def test_the_same_bits_with_any_number_of_threads():
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 1, 2):
            torch.set_num_threads(threads)
            runs.append(mixed((3, 4, 1, 5, 33), 4, 1))
    finally:
        torch.set_num_threads(before)
    for planes, gradients in runs[1:]:
        assert torch.equal(planes, runs[0][0])
        assert all(torch.equal(gradients[name], runs[0][1][name]) for name in gradients)


def test_plain_only_takes_tensor_operations():
    planes, gradients = mixed(SIZES, 3, 0)
    with plain_only():
        same, wanted = mixed(SIZES, 3, 0)
    torch.testing.assert_close(planes, same)
    for name in gradients:
        torch.testing.assert_close(gradients[name], wanted[name], atol=1e-4, rtol=1e-4)
