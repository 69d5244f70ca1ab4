"""Signed distances of meshes, against those of shapes that are known, and the way back to a mesh."""

import numpy as np
import pytest
import torch

from manyfields.errors import MeshError
from manyfields.families.octree.tree import Octree
from manyfields.shapes.isosurface import isosurface
from manyfields.views.signed_distance import SignedDistance, closest_on_triangles, truncated_samples
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("scipy")
RANDOM = np.random.default_rng(0)


def of(mesh) -> Triangles:
    return Triangles.welded(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))


def box_distance(points, half):
    beyond = np.abs(points) - half
    return np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(-1), 0)


def test_a_box_is_exact_with_its_edges_and_corners():
    half = np.array([0.3, 0.5, 0.2])
    distance = SignedDistance(of(trimesh.creation.box(2 * half)), samples=5000)
    points = np.concatenate([RANDOM.uniform(-1, 1, (2000, 3)), RANDOM.normal(0, 0.02, (2000, 3)) + half])
    expected = box_distance(points, half)
    found = distance(points)
    assert (np.sign(found) == np.sign(expected)).all()
    # Far inside, a wrong triangle may be chosen where two faces are nearly as near.
    assert np.abs(found - expected).max() < 0.01 and np.median(np.abs(found - expected)) < 1e-9


def test_a_ball_is_as_exact_as_its_triangles():
    ball = of(trimesh.creation.icosphere(4, 0.6))
    distance = SignedDistance(ball, samples=20_000)
    points = RANDOM.uniform(-1, 1, (3000, 3))
    expected = np.linalg.norm(points, axis=-1) - 0.6
    np.testing.assert_allclose(distance(points), expected, atol=0.002)
    assert distance(np.zeros((0, 3))).shape == (0,)


def test_thin_spikes_keep_their_sign():
    """Corners whose triangles point every way: the nearest triangle's own normal would be wrong there."""
    cone = of(trimesh.creation.cone(0.1, 1.0, sections=7))
    distance = SignedDistance(cone, samples=5000)
    assert (distance(np.array([0, 0, 1.0]) + RANDOM.uniform(0, 0.2, (500, 3)) * [0.2, 0.2, 1]) > 0).all()
    assert (distance(np.array([[0, 0, 0.95], [0, 0, 0.01], [0.02, 0, 0.5]])) < 0).all()


def test_holes_are_refused_unless_allowed():
    ball = trimesh.creation.icosphere(2, 0.5)
    faces = ball.faces[np.linalg.norm(ball.triangles_center - [0, 0, 0.5], axis=1) > 0.2].astype(np.int64)
    open_ball = Triangles.welded(ball.vertices, faces)
    with pytest.raises(MeshError, match=f"not watertight: {open_ball.open_edges} edges"):
        SignedDistance(open_ball)
    found = SignedDistance(open_ball, holes_allowed=True, samples=5000)(np.array([[0, 0, -0.6], [0, 0, -0.4]]))
    np.testing.assert_allclose(found, [0.1, -0.1], atol=0.01)


def test_closest_points_on_a_triangle_against_many_places_on_it():
    corners = RANDOM.normal(size=(200, 3, 3))
    points = RANDOM.normal(size=(200, 3))
    closest, part = closest_on_triangles(points, corners)
    grid = [(i, j, 60 - i - j) for i in range(61) for j in range(61 - i)]
    many = np.array(grid)[None] / 60 @ corners
    best = np.linalg.norm(many - points[:, None], axis=-1).min(1)
    found = np.linalg.norm(closest - points, axis=-1)
    assert (found <= best + 1e-9).all() and (best - found).max() < 0.1
    assert set(part) == set(range(7))
    for corner in range(3):
        np.testing.assert_array_equal(closest[part == corner], corners[part == corner, corner])


def test_samples_are_truncated_and_of_three_kinds():
    distance = SignedDistance(of(trimesh.creation.icosphere(4, 0.6)), samples=20_000)
    points, distances = truncated_samples(distance, 5000, 0.1, np.random.default_rng(3))
    assert points.shape == (5000, 3) and points.dtype == distances.dtype == torch.float32
    assert float(points.abs().max()) <= 1 and float(distances.abs().max()) == pytest.approx(0.1)
    expected = (points.norm(dim=-1) - 0.6).clamp(-0.1, 0.1)
    torch.testing.assert_close(distances, expected, atol=0.002, rtol=0)
    assert float((distances[:2000].abs() < 0.002).float().mean()) > 0.99
    again, _ = truncated_samples(distance, 5000, 0.1, np.random.default_rng(3))
    assert torch.equal(points, again)
    large = SignedDistance(of(trimesh.creation.icosphere(1, 1.2)), samples=100)
    with pytest.raises(MeshError, match="beyond the cube"):
        truncated_samples(large, 10, 0.1, np.random.default_rng(0))


def ball_shell(first, last, radius=0.6):
    points = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    return Octree.of_points(radius * torch.nn.functional.normalize(points, dim=-1), first, last, dilate=1)


def test_a_surface_comes_back_without_walls_where_the_octree_ends():
    pytest.importorskip("skimage")
    vertices, faces = isosurface(lambda points: (points.norm(dim=-1) - 0.6).clamp(-0.1, 0.1), ball_shell(3, 5))
    assert np.abs(np.linalg.norm(vertices, axis=-1) - 0.6).max() < 0.005
    triangles = Triangles.welded(vertices, faces)
    assert triangles.open_edges == 0
    assert triangles.areas.sum() == pytest.approx(4 * np.pi * 0.36, rel=0.01)
    assert (np.einsum("fi,fi->f", triangles.normals, triangles.corners.mean(1)) > 0.5).all()  # outwards
    coarse, _ = isosurface(lambda points: points.norm(dim=-1) - 0.6, ball_shell(3, 5), level=4)
    assert len(coarse) < 0.5 * len(vertices)


def test_a_field_without_a_surface():
    pytest.importorskip("skimage")
    for field in (lambda points: points[:, 0] * 0 + 1, lambda points: points[:, 0] * 0 - 1):
        with pytest.raises(MeshError, match="no surface in the voxels of level 4"):
            isosurface(field, ball_shell(3, 4))


def test_the_nearest_triangle_and_how_far_it_is():
    half = np.array([0.3, 0.5, 0.2])
    box = of(trimesh.creation.box(2 * half))
    points = RANDOM.uniform(-1, 1, (1000, 3))
    distances, faces = SignedDistance(box, samples=5000).nearest(points)
    np.testing.assert_allclose(distances, np.abs(box_distance(points, half)), atol=0.01)
    assert SignedDistance(box, samples=10).nearest(np.zeros((0, 3)))[1].shape == (0,)
    assert (np.einsum("ni,ni->n", points - box.corners[faces, 0], box.normals[faces]) > 0)[distances > 0.5].all()


def bumps(points):
    """Smooth, with a slope near 1, and its zero runs through many blocks of cells."""
    return points.norm(dim=-1) - 0.6 - 0.03 * torch.sin(12 * points).prod(-1)


def bumps_shell(first, last):
    """All voxels that its zero is in or near."""
    axis = (torch.arange(2**last) + 0.5) * 2.0 ** (1 - last) - 1
    middles = torch.cartesian_prod(axis, axis, axis)
    return Octree.of_points(middles[bumps(middles).abs() < 2.0 ** (2 - last)], first, last)


def test_blocks_of_cells_give_what_one_dense_grid_gives():
    measure = pytest.importorskip("skimage.measure")
    tree = bumps_shell(4, 7)
    vertices, faces = isosurface(bumps, tree)
    axis = torch.linspace(-1, 1, 129)
    grid = bumps(torch.cartesian_prod(axis, axis, axis)).view(129, 129, 129).numpy()
    dense, triangles, _, _ = measure.marching_cubes(grid, 0.0, gradient_direction="descent")
    ours, theirs = (
        Triangles.welded(vertices, faces),
        Triangles.welded(dense.astype(np.float64) / 64 - 1, triangles.astype(np.int64)),
    )
    assert ours.open_edges == theirs.open_edges == 0
    assert len(vertices) == len(ours.vertices) and abs(len(ours.vertices) - len(theirs.vertices)) <= 2
    assert ours.areas.sum() == pytest.approx(theirs.areas.sum(), rel=1e-4)
    one, two = (np.sort(np.linalg.norm(each.corners.mean(1), axis=-1))[::50] for each in (ours, theirs))
    np.testing.assert_allclose(one[: len(two)], two[: len(one)], atol=1e-4)


def test_voxels_are_divided_only_where_the_surface_may_be():
    pytest.importorskip("skimage")
    asked = []

    def distance(points):
        asked.append(len(points))
        return bumps(points)

    tree = bumps_shell(3, 5)
    coarse, _ = isosurface(distance, tree)
    asked.clear()
    vertices, faces = isosurface(distance, tree, resolution=7)
    assert sum(asked) < 0.15 * 129**3
    whole = Triangles.welded(vertices, faces)
    assert whole.open_edges == 0
    expected = Triangles.welded(*isosurface(bumps, bumps_shell(3, 7)))
    assert whole.areas.sum() == pytest.approx(expected.areas.sum(), rel=1e-4)
    assert len(vertices) > 10 * len(coarse)
    with pytest.raises(ValueError, match="resolution 4: from the level 5"):
        isosurface(bumps, tree, resolution=4)
