"""The compiled gather and its transpose equal the plain ones, which test_plane_features holds against grid_sample."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import manyfields.compiled as compiled
from manyfields.families.fused_planes.plane_features import plane_features

pytest.importorskip("numba")


def features_and_gradient(planes, points, weights):
    leaf = planes.clone().requires_grad_()
    features = plane_features(leaf, points)
    (features * weights).sum().backward()
    return features.detach(), leaf.grad


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 3),
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.integers(1, 5),
    st.sampled_from([1, 40, 1100]),
    st.sampled_from([0.9, 1.0, 1.7]),
    st.integers(0, 1000),
)
def test_equals_the_plain_form(objects, side, channels, count, reach, seed):
    generator = torch.Generator().manual_seed(seed)
    planes = torch.randn(objects, 3, *side, channels, generator=generator)
    points = (2 * torch.rand(objects, count, 3, generator=generator) - 1) * reach
    weights = torch.randn(objects, count, channels, generator=generator)
    assert compiled.compiled_for(planes, points)
    fast, fast_gradient = features_and_gradient(planes, points, weights)
    plain, plain_gradient = features_and_gradient(planes.double(), points.double(), weights.double())
    torch.testing.assert_close(fast.double(), plain, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(fast_gradient.double(), plain_gradient, atol=2e-4, rtol=1e-3)


def test_the_gradient_does_not_depend_on_the_number_of_threads():
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(3, 3, 8, 8, 4, generator=generator)
    points = torch.rand(3, 5000, 3, generator=generator)
    weights = torch.randn(3, 5000, 4, generator=generator)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(features_and_gradient(planes, points, weights))
    torch.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


def test_planes_that_are_not_contiguous():
    planes = torch.randn(2, 3, 4, 6, 5).transpose(2, 3)
    points = torch.rand(2, 9, 3)
    torch.testing.assert_close(plane_features(planes, points), plane_features(planes.contiguous(), points))


def test_only_float32_in_cpu_memory_is_compiled_for():
    value = torch.zeros(2)
    assert compiled.compiled_for(value)
    assert not compiled.compiled_for(value, value.double()) and not compiled.compiled_for(value.to("meta"))
