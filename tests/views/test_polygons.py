import numpy as np
import pytest

from manyfields.views.polygons import ears, triangulated


def turned(flat, seed=0):
    """A loop [K, 2] somewhere in space."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return flat @ q[:2] + [3, -1, 2]


def shoelace(loop):
    x, y = loop.T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def areas(points, triangles):
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def normals(points, triangles):
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def star(tips):
    angle = np.arange(2 * tips) * np.pi / tips
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(np.arange(2 * tips) % 2, 0.3, 1.0)[:, None]


def comb(teeth):
    top = [[x, 1.0 if x % 2 else 0.2] for x in range(2 * teeth + 1)]
    return np.array([[2 * teeth, 0], *reversed(top), [0, 0]])[::-1].astype(float)


SHAPES = {
    "L": np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]], dtype=float),
    "arrow": np.array([[0, 0], [2, 1], [0, 2], [0.5, 1]], dtype=float),
    "arrow, other start": np.array([[0.5, 1], [0, 0], [2, 1], [0, 2]], dtype=float),
    "square": np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float),
    "octagon": star(4) / np.where(np.arange(8) % 2, 0.3, 1.0)[:, None],
    "star": star(7),
    "comb": comb(12),
    "corners on a line": np.array([[0, 0], [1, 0], [2, 0], [2, 2], [1, 1], [0, 2], [0, 1]], dtype=float),
    "corners twice": np.array([[0, 0], [0, 0], [2, 0], [2, 1], [1, 1], [1, 1], [1, 2], [0, 2]], dtype=float),
    "hole by a bridge": np.array(
        [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0], [1, 1], [1, 3], [3, 3], [3, 1], [1, 1]], dtype=float
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("backwards", [False, True])
def test_triangles_cover_the_polygon_and_nothing_else(name, backwards):
    flat = SHAPES[name][::-1] if backwards else SHAPES[name]
    points = turned(flat)
    triangles, owner = triangulated(points, np.arange(len(points)), np.array([len(points)]))
    assert areas(points, triangles).sum() == pytest.approx(shoelace(flat), rel=1e-9)
    facing = normals(points, triangles)
    whole = facing.sum(0)
    assert (facing @ whole >= -1e-9).all() and (owner == 0).all()


def test_many_polygons_keep_their_order_and_places():
    shapes = [SHAPES["L"], SHAPES["square"], SHAPES["star"], SHAPES["L"][:3], SHAPES["arrow"]]
    points = np.concatenate([turned(shape, seed) for seed, shape in enumerate(shapes)])
    counts = np.array([len(shape) for shape in shapes])
    shuffled = np.random.default_rng(0).permutation(len(points))
    where = np.argsort(shuffled)
    triangles, owner = triangulated(points[shuffled], where, counts)
    assert (np.diff(owner) >= 0).all()
    found = areas(points, triangles)
    for number, shape in enumerate(shapes):
        assert found[owner == number].sum() == pytest.approx(shoelace(shape))
        inside = triangles[owner == number]
        assert inside.min() >= counts[:number].sum() and inside.max() < counts[: number + 1].sum()


def test_polygons_without_area_or_of_two_corners_do_no_harm():
    points = np.zeros((9, 3))
    points[:5, 0] = range(5)
    triangles, _ = triangulated(points, np.arange(9), np.array([5, 2, 2]))
    assert areas(points, triangles).sum() == 0
    triangles, owner = triangulated(points, np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    assert triangles.shape == (0, 3) and len(owner) == 0


def test_a_loop_without_a_normal_is_a_fan():
    there_and_back = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [0, 0], [1, 1], [1, 0]], dtype=float)
    triangles, _ = triangulated(turned(there_and_back), np.arange(7), np.array([7]))
    assert len(triangles) == 5


def test_a_loop_that_crosses_itself_ends():
    generator = np.random.default_rng(0)
    for count in (5, 8, 20):
        assert len(ears(generator.normal(size=(count, 2)))) <= count - 2


def test_a_large_concave_polygon_takes_no_time():
    loop = star(500)
    points = turned(loop)
    triangles, _ = triangulated(points, np.arange(1000), np.array([1000]))
    assert areas(points, triangles).sum() == pytest.approx(shoelace(loop))
