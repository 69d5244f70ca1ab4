"""Distance fields of meshes: what a short fit reaches, that it repeats, and the loss against its definition."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manyfields.errors import ConfigError, MeshError
from manyfields.families.octree.codebooks.indices import levels_of_indices
from manyfields.shapes.field import DistanceConfig
from manyfields.shapes.fitter import DistanceFitter, DistanceSettings, octree_round, truncated_error
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("scipy")

CONFIG = DistanceConfig(first=2, last=4, features=8, hidden=32, truncation=0.1)
SHORT = DistanceSettings(steps=150, points=4096, pool=20_000, steps_of_pool=80, codes_rate=0.03, bits=6)


def ball(radius: float = 0.6) -> Triangles:
    mesh = trimesh.creation.icosphere(4, radius)
    return Triangles.welded(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))


def error(fitter: DistanceFitter, level: int | None = None) -> float:
    """Mean |distance| at points that are known to lie on the surface, and 0.05 around it, against the truth."""
    directions = torch.nn.functional.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(5)), dim=-1)
    radii = 0.6 + torch.linspace(-0.05, 0.05, 2000)
    return float((fitter.field(level)(radii[:, None] * directions) - (radii - 0.6)).detach().abs().mean())


def test_a_ball_is_learned_as_features_and_as_indices():
    errors = {}
    for bits in (None, 6):
        fitter = DistanceFitter(ball(), CONFIG, replace(SHORT, bits=bits))
        before = error(fitter)
        fitter.run()
        errors[bits] = error(fitter)
        assert (levels_of_indices(fitter.code) is not None) == bool(bits)
        assert errors[bits] < error(fitter, 1) < before  # every first few levels are a surface
    assert errors[None] < 0.005 and errors[6] < 0.01, errors


def test_the_same_seed_gives_the_same_fit_and_another_does_not():
    settings = DistanceSettings(steps=8, points=512, pool=2000, steps_of_pool=4, bits=3)
    losses = []
    for seed in (1, 1, 2):
        found: list[float] = []
        fitter = DistanceFitter(ball(), CONFIG, settings, seed=seed)
        fitter.run(lambda done, loss, found=found: found.append(loss))
        losses.append((found, fitter.field()(torch.full((1, 3), 0.35)).item()))
    assert losses[0] == losses[1] != losses[2]


def test_voxels_cover_the_surface_and_little_else():
    tree = octree_round(ball(), CONFIG)
    points, _ = ball().sample(50_000, np.random.default_rng(7))
    assert (tree.find(torch.from_numpy(points).float(), 4) >= 0).all()
    middles = torch.stack(torch.meshgrid(*[(torch.arange(16) + 0.5) / 8 - 1] * 3, indexing="ij"), -1).view(-1, 3)
    far = (middles.norm(dim=-1) - 0.6).abs() > 0.75 * 3**0.5 * 0.125
    assert (tree.find(middles[far], 4) < 0).all()


def test_the_loss_asks_nothing_beyond_the_truncation():
    found = torch.tensor([0.3, 1.7, 0.4, -1.7, -0.4, 2.0])
    wanted = torch.tensor([0.5, 1.0, 1.0, -1.0, -1.0, 0.9])
    expected = np.mean([0.2, 0.0, 0.6, 0.0, 0.6, 1.1])
    assert float(truncated_error(found, wanted)) == pytest.approx(expected)


def test_holes_and_settings_without_meaning_are_refused():
    whole = ball()
    holed = Triangles(whole.vertices, whole.faces[5:])
    with pytest.raises(MeshError, match="not watertight.*--holes-allowed"):
        DistanceFitter(holed, CONFIG)
    DistanceFitter(holed, CONFIG, holes_allowed=True)
    for wrong, message in (({"bits": 11}, "bits 11"), ({"steps": 0}, "at least 1")):
        with pytest.raises(ConfigError, match=message):
            DistanceSettings(**wrong)
