"""Where numba is not installed everything runs in plain PyTorch."""

import sys
from pathlib import Path

import pytest
import torch

import manyfields
import manyfields.compiled as compiled
from manyfields.cameras import Rays, orbit
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.rendering import Sampler, color_error
from manyfields.rendering.guided import guided_samples
from manyfields.shared_part import SharedPart

BOUNDS = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]]])


@pytest.fixture
def no_numba(monkeypatch, architecture):
    """numba cannot be imported, nor what is compiled by it."""
    kernels = architecture.House(Path(manyfields.__file__).parent).kernels()
    for name in ("numba", *kernels):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(compiled, "_numba", compiled._numba.__wrapped__)  # without the cache


def some_planes():
    generator = torch.Generator().manual_seed(0)
    points = 2 * torch.rand(2, 30, 3, generator=generator) - 1
    return torch.randn(2, 3, 4, 5, 3, generator=generator), points


def some_rays():
    rays = orbit(1, width=9, height=9).rays()
    guide = (torch.rand(1, 6, 6, 6, generator=torch.Generator().manual_seed(1)) - 0.5).clamp(min=0.0) * 9
    return rays.origins, rays.directions, BOUNDS, guide, torch.full((1, 81, 5), 0.5)


def test_nothing_is_compiled_for(no_numba):
    assert compiled._numba() is None
    assert compiled.compiled_for(torch.zeros(2)) is False


def test_plane_features_and_their_gradient_are_the_same(no_numba):
    planes, points = some_planes()
    leaf = planes.clone().requires_grad_()
    features = plane_features(leaf, points)
    features.square().sum().backward()
    exact = planes.double().requires_grad_()
    expected = plane_features(exact, points.double())
    expected.square().sum().backward()
    torch.testing.assert_close(features.double(), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(leaf.grad.double(), exact.grad, atol=1e-4, rtol=1e-4)


def test_guided_samples_are_the_same(no_numba):
    inputs = some_rays()
    distances, lengths, hits = guided_samples(*inputs, bins=16, spread=0.1)
    exact = guided_samples(*(tensor.double() for tensor in inputs), bins=16, spread=0.1)
    assert 0 < int(hits.sum()) < 81
    same = ((distances - exact[0]).abs() < 1e-3).all(-1) & ((lengths - exact[1]).abs() < 1e-3).all(-1)
    assert float((same & (hits == exact[2])).float().mean()) > 0.95


def test_the_error_of_rays_and_its_gradients_are_those_with_numba(no_numba, monkeypatch):
    config = FusedPlanesConfig(2, 3, 4, resolution=6, hidden=8, channels=3, space="rgb", span="box", activation="relu")
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    codes = family.new_codes(1, torch.Generator().manual_seed(1))
    codes.tensors["micro"].requires_grad_()
    origins, directions, bounds, guide, _ = some_rays()
    colors = torch.rand(1, 81, 3, generator=torch.Generator().manual_seed(2))

    def learn():
        codes.tensors["micro"].grad = None
        field = family.field(codes, bounds=bounds)
        white = torch.ones(3)
        sampler, rays = Sampler(guided=5), Rays(origins, directions)
        error = color_error(field, rays, colors, sampler, bounds=bounds, guide=guide, background=white)
        error.backward()
        return error.detach(), codes.tensors["micro"].grad

    without = learn()
    monkeypatch.undo()
    usual = learn()
    torch.testing.assert_close(without[0], usual[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(without[1], usual[1], atol=0.02 * float(usual[1].abs().max()), rtol=0)


def test_pictures_are_those_with_numba(no_numba, monkeypatch):
    sizes = {"resolution": 6, "hidden": 8, "activation": "relu", "view_degree": 1}
    config = FusedPlanesConfig(2, 3, 4, **sizes, channels=3, space="rgb", span="box", hull=6)
    shared = SharedPart(FusedPlanes(config, torch.Generator().manual_seed(0)), None)
    codes = shared.family.new_codes(1, torch.Generator().manual_seed(1))
    cameras = orbit(1, width=8, height=8)[None]
    with torch.no_grad():
        without = shared.pictures(codes, cameras, BOUNDS, Sampler())
        monkeypatch.undo()
        usual = shared.pictures(codes, cameras, BOUNDS, Sampler())
    assert float(without.opacity.max()) > 0.1
    torch.testing.assert_close(without.images, usual.images, atol=1e-2, rtol=0)
