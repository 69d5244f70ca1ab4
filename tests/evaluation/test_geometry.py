import numpy as np
import pytest

from manyfields.evaluation.geometry import compare_surfaces
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("scipy")


def ball(radius: float, subdivisions: int = 4, center=(0.0, 0.0, 0.0)) -> Triangles:
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    return Triangles.welded(np.asarray(mesh.vertices + center, np.float64), np.asarray(mesh.faces, np.int64))


def test_equal_surfaces_do_not_differ():
    surface = ball(0.5)
    scores = compare_surfaces(surface, surface, 20_000)
    assert scores.chamfer < 1e-5  # the nearest triangle is not always found
    assert scores.normal_consistency > 0.9999 and scores.normal_error < 0.1
    assert compare_surfaces(surface, surface, 20_000) == scores


def test_balls_of_two_radii():
    scores = compare_surfaces(ball(0.6), ball(0.5), 20_000)
    for value in (scores.chamfer, scores.accuracy, scores.completeness):
        assert value == pytest.approx(0.1, abs=0.002)
    assert scores.normal_consistency > 0.999


def test_what_is_missing_costs_completeness_only():
    pair = ball(0.2, 3), ball(0.2, 3, (0.7, 0, 0))
    faces = np.concatenate([pair[0].faces, pair[1].faces + len(pair[0].vertices)])
    both = Triangles(np.concatenate([pair[0].vertices, pair[1].vertices]), faces)
    scores = compare_surfaces(pair[0], both, 10_000)
    assert scores.accuracy < 0.01
    # From points of the other ball to this one: those of its centre are 0.5 away.
    assert 0.2 < scores.completeness < 0.3
    assert scores.chamfer == pytest.approx((scores.accuracy + scores.completeness) / 2)


def test_normals_have_no_side_and_turn_with_the_surface():
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    tilt = np.radians(10)
    turned = square @ np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    scores = compare_surfaces(Triangles.welded(turned, faces[:, ::-1]), Triangles.welded(square, faces), 2000)
    assert scores.normal_error == pytest.approx(10, abs=1e-6)
    assert scores.normal_consistency == pytest.approx(np.cos(tilt))
