"""Chamfer distance, coverage and matching against plain loops; surfaces of densities."""

import numpy as np
import pytest

from manyfields.errors import ConfigError, MeshError
from manyfields.evaluation.point_sets import chamfer, compare_shapes, points_on_surface

pytest.importorskip("scipy")
BOX = np.array([[-1.0] * 3, [1.0] * 3])


def cloud(seed: int, shift: float = 0.0, count: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3)) + shift


def by_loops(first: np.ndarray, second: np.ndarray) -> float:
    def one_way(here, there):
        return np.mean([min(((p - q) ** 2).sum() for q in there) for p in here])

    return one_way(first, second) + one_way(second, first)


def test_chamfer_equals_loops():
    assert chamfer(cloud(0), cloud(1, 0.5, 20)) == pytest.approx(by_loops(cloud(0), cloud(1, 0.5, 20)))


def test_coverage_and_matching_equal_loops():
    drawn, true = [cloud(seed, seed / 3) for seed in range(5)], [cloud(seed + 9, seed / 2) for seed in range(4)]
    found = compare_shapes(drawn, true)
    nearest = [min(range(4), key=lambda t, sample=sample: by_loops(sample, true[t])) for sample in drawn]
    assert found.coverage == len(set(nearest)) / 4
    assert found.matching == pytest.approx(np.mean([min(by_loops(s, t) for s in drawn) for t in true]))


def test_copies_cover_and_one_shape_does_not():
    true = [cloud(seed, 3 * seed) for seed in range(4)]
    assert compare_shapes(true, true) == compare_shapes(true[::-1], true)
    assert compare_shapes(true, true).coverage == 1.0 and compare_shapes(true, true).matching == 0.0
    assert compare_shapes([true[0]] * 9, true).coverage == 0.25


def test_no_shapes():
    with pytest.raises(ConfigError, match="at least one shape"):
        compare_shapes([], [cloud(0)])


def ball(side: int, bounds: np.ndarray, radius: float) -> np.ndarray:
    axes = [bounds[0, a] + (np.arange(side) + 0.5) / side * (bounds[1, a] - bounds[0, a]) for a in range(3)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return 8.0 + 40.0 * (radius - np.sqrt(x**2 + y**2 + z**2))


@pytest.mark.parametrize("bounds", [BOX, np.array([[-0.8, -1.0, -0.7], [0.9, 0.7, 1.0]])])
def test_points_lie_on_the_surface(bounds):
    pytest.importorskip("skimage")
    points = points_on_surface(ball(32, bounds, 0.6), bounds, 500)
    assert points.shape == (500, 3)
    assert np.abs(np.linalg.norm(points, axis=1) - 0.6).max() < 0.02
    assert np.abs(points.mean(0)).max() < 0.05


def test_a_surface_that_reaches_the_side_is_closed():
    pytest.importorskip("skimage")
    points = points_on_surface(np.full((8, 8, 8), 100.0), BOX, 200)
    assert np.abs(np.abs(points).max(1) - 1.0).max() < 0.13


def test_nothing_has_no_surface():
    pytest.importorskip("skimage")
    with pytest.raises(MeshError, match="no surface"):
        points_on_surface(np.zeros((8, 8, 8)), BOX)
