import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.views import read_views
from manyfields.views.images import load_image
from manyfields.views.undistort import Lens, undistort

cv2 = pytest.importorskip("cv2")
FOCAL, CENTER = (50.0, 48.0), (31.0, 25.5)
term = st.floats(-0.08, 0.08)


def camera_matrix(offset: float) -> np.ndarray:
    return np.array([[FOCAL[0], 0, CENTER[0] - offset], [0, FOCAL[1], CENTER[1] - offset], [0, 0, 1]])


def smooth_image(height=48, width=60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    channels = [127 + 100 * np.sin(x / 6 + k) * np.cos(y / 7 - k) for k in range(3)]
    return np.stack([*channels, np.full(x.shape, 255)], -1).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[term] * 8))
def test_the_lens_bends_points_as_opencv_does(terms):
    plane = np.random.default_rng(0).uniform(-0.6, 0.6, (30, 2))
    solid = np.concatenate([plane, np.ones((30, 1))], -1)
    expected, _ = cv2.projectPoints(solid, np.zeros(3), np.zeros(3), np.eye(3), np.array(terms))
    np.testing.assert_allclose(Lens(*terms).distort(plane), expected[:, 0], atol=1e-9)
    expected, _ = cv2.fisheye.distortPoints(plane[:, None], np.eye(3), np.array(terms[:4])), None
    k1, k2, k3, k4 = terms[:4]
    fisheye = Lens(k1=k1, k2=k2, k3=k3, k4=k4, fisheye=True)
    np.testing.assert_allclose(fisheye.distort(plane), expected[:, 0], atol=1e-9)


def test_images_agree_with_opencv_whose_pixel_centres_are_integers():
    image = smooth_image()
    lens = Lens(0.06, -0.08, -0.001, 0.0015)
    ours = undistort(image, FOCAL, CENTER, lens)
    theirs = cv2.undistort(image, camera_matrix(0.5), np.array([0.06, -0.08, -0.001, 0.0015]))
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(ours[inner].astype(int) - theirs[inner]).max() <= 1
    unshifted = cv2.undistort(image, camera_matrix(0.0), np.array([0.06, -0.08, -0.001, 0.0015]))
    assert (ours[inner] != unshifted[inner]).any()
    assert (ours[..., 3] == 255).all()


def test_no_distortion_changes_nothing_and_outlines_keep_their_colour():
    image = smooth_image()
    np.testing.assert_array_equal(undistort(image, FOCAL, CENTER, Lens()), image)
    image[:, :12] = 0
    image[:, 12:] = (200, 100, 50, 255)
    bent = undistort(image, FOCAL, CENTER, Lens(k1=0.2))
    partial = (bent[..., 3] > 10) & (bent[..., 3] < 245)
    assert partial.any()
    assert np.abs(bent[partial][:, :3].astype(int) - [200, 100, 50]).max() <= 8
    assert (bent[bent[..., 3] == 0] == 0).all()


def test_fox_is_read_with_its_distortion_undone(shared):
    fox = read_views(shared / "data" / "captures" / "fox")["fox"]
    matrix = np.array([[343.88, 0, 138.6395 - 0.5], [0, 343.6225, 241.317 - 0.5], [0, 0, 1]])
    terms = np.array([0.0578421, -0.0805099, -0.000980296, 0.00015575])
    stored = load_image(shared / "data" / "captures" / "fox" / "images" / "0001.png")
    ours = fox.images([fox.names.index("images/0001")])[0]
    expected = cv2.undistort(stored, matrix, terms)
    inner = np.s_[10:-10, 10:-10]
    difference = np.abs(ours[inner].astype(int) - expected[inner])
    assert difference.mean() < 0.2 and difference.max() <= 6
    assert np.abs(ours.astype(int) - stored).mean() > 0.3
