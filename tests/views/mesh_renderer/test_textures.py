import numpy as np
import pytest

from manyfields.views.mesh_renderer.textures import by_sharpness, coverage, filled, reduced, reductions


def test_coverage_is_that_of_each_texels_middle():
    generator = np.random.default_rng(0)
    uv = generator.uniform(0, 1, (12, 2))
    faces = np.arange(12).reshape(4, 3)
    found = coverage(uv, faces, (150, 90))
    y, x = np.mgrid[:150, :90]
    expected = np.zeros((150, 90), dtype=bool)
    for a, b, c in uv[faces] * [90, 150] - 0.5:
        sides = [(q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))]
        expected |= np.all([s >= 0 for s in sides], axis=0) | np.all([s <= 0 for s in sides], axis=0)
    assert expected.any() and (found != expected).sum() <= 4 + 20  # the middles of triangles, rounding at borders
    assert (found | ~expected).mean() > 0.999


def test_a_repeating_texture_is_used_everywhere():
    uv = np.array([[0, 0], [3, 0], [0, 1]], dtype=float)
    assert coverage(uv, np.array([[0, 1, 2]]), (8, 8)) is None


def test_a_triangle_smaller_than_a_texel_has_a_colour():
    uv = np.array([[0.1, 0.1], [0.1001, 0.1], [0.1, 0.1001]])
    assert coverage(uv, np.array([[0, 1, 2]]), (8, 8)).sum() == 1


@pytest.mark.parametrize("size", [(16, 16), (13, 7), (1, 5)])
def test_what_is_unused_takes_the_nearest_colours_and_the_used_stays(size):
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    used = np.zeros(size, dtype=bool)
    used[:, : size[1] // 2] = True
    pixels[used] = (9, 200, 30)
    np.testing.assert_array_equal(filled(pixels, used), np.broadcast_to(np.uint8((9, 200, 30)), (*size, 3)))


def test_halving_averages_and_leaves_out_what_is_not_covered():
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[:2, :2] = [[[10, 0, 0], [20, 0, 0]], [[30, 0, 0], [40, 0, 0]]]
    assert reduced(pixels, 1)[0, 0, 0] == 25 and reduced(pixels, 1).shape == (2, 2, 3)
    covered = np.zeros((4, 4), dtype=bool)
    covered[0, 0] = True
    assert (reduced(pixels, 2, covered) == [10, 0, 0]).all()


def test_halving_weighs_colours_by_alpha():
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)
    pixels[0, 0] = (200, 100, 50, 255)
    np.testing.assert_array_equal(reduced(pixels, 1), [[[200, 100, 50, 64]]])


def test_odd_sizes_keep_their_middle():
    ramp = np.broadcast_to(np.arange(0, 135, 15, dtype=np.uint8)[None, :, None], (3, 9, 3))
    small = reduced(np.ascontiguousarray(ramp), 1)
    assert small.shape == (1, 4, 3) and small[0, :, 0].astype(float).mean() == pytest.approx(60, abs=1)


def test_faces_are_grouped_by_how_sharp_their_texture_has_to_be():
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    vertices = np.concatenate([corners, corners + [1, 0, 0], corners * 0.01 + [2, 0, 0]])
    square = np.array([[0, 1, 2], [0, 2, 3]])
    faces = np.concatenate([square, square + 4, square + 8])
    palette = np.full((4, 2), 0.01)
    uv = np.concatenate([corners[:, :2], palette, corners[:, :2]])
    groups = by_sharpness(vertices, faces, uv, (1024, 1024), 256)
    assert [group.tolist() for group in groups] == [[2, 3], [0, 1, 4, 5]]
    assert [reductions(vertices, faces[group], uv, (1024, 1024), 256) for group in groups] == [0, 2]


def test_as_many_halvings_as_leave_a_texel_a_sample():
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    uv = corners[:, :2]
    assert reductions(corners, faces, uv, (1024, 1024), 256) == 2
    assert reductions(corners, faces, uv, (1024, 1024), 2000) == 0
    assert reductions(corners, faces, uv / 2, (1024, 1024), 256) == 1
    assert reductions(corners, faces, uv * 0, (16384, 16384), 256) == 2  # memory has an end
