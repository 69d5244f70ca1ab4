import numpy as np
import pytest

from manyfields.errors import MeshError
from manyfields.views.mesh import Mesh, Surface
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")


def of(mesh) -> Triangles:
    return Triangles.welded(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))


def test_vertices_at_one_place_become_one():
    box = trimesh.creation.box((1, 2, 3))
    loose = box.vertices[box.faces].reshape(-1, 3)
    welded = Triangles.welded(loose, np.arange(len(loose)).reshape(-1, 3))
    assert len(welded.vertices) == 8 and welded.open_edges == 0
    assert welded.areas.sum() == pytest.approx(box.area)
    np.testing.assert_allclose(welded.normals, box.face_normals, atol=1e-12)
    halves = [Surface(box.vertices, np.asarray(part, np.int64)) for part in (box.faces[:5], box.faces[5:])]
    both = Triangles.of_mesh(Mesh(tuple(halves), np.eye(4)))
    assert len(both.vertices) == 8 and len(both.faces) == 12 and both.open_edges == 0


def test_holes_and_turned_triangles_are_counted():
    ball = trimesh.creation.icosphere(1)
    assert of(ball).open_edges == 0
    assert Triangles.welded(ball.vertices, ball.faces[1:].astype(np.int64)).open_edges == 3
    turned = ball.faces.astype(np.int64).copy()
    turned[0] = turned[0, ::-1]
    assert Triangles.welded(ball.vertices, turned).open_edges == 3


def test_triangles_without_area_are_left_out():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [1, 1, 2]])
    assert Triangles.welded(vertices, faces).faces.shape == (1, 3)
    with pytest.raises(MeshError, match="no triangle with an area"):
        Triangles.welded(vertices, faces[1:])
    with pytest.raises(MeshError, match="has no triangles"):
        Triangles.welded(vertices, faces[:0])


def test_samples_are_even_over_the_area():
    box = of(trimesh.creation.box((1, 1, 4)))
    points, faces = box.sample(9000, np.random.default_rng(0))
    shares = np.bincount(faces, minlength=12) / 9000
    np.testing.assert_allclose(shares, box.areas / box.areas.sum(), atol=1 / 4500)
    on_face = ((points - box.corners[faces, 0]) * box.normals[faces]).sum(-1)
    assert np.abs(on_face).max() < 1e-12
    side = np.abs(points[:, 2]) < 1.99
    counts, _ = np.histogram(points[side, 2], 8, (-1.99, 1.99))
    assert counts.std() / counts.mean() < 0.06
