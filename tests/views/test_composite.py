import numpy as np

from manyfields.views import composite


def test_composite_is_the_blend_rounded_to_nearest():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
    for background in [(255, 255, 255), (0, 0, 0), (10, 200, 255)]:
        alpha = rgba[..., 3:] / 255
        expected = np.floor(rgba[..., :3] * alpha + np.array(background) * (1 - alpha) + 0.5 - 1e-9)
        np.testing.assert_array_equal(composite(rgba, background), expected.astype(np.uint8))


def test_opaque_stays_and_transparent_becomes_background():
    rgba = np.array([[1, 2, 3, 255], [9, 9, 9, 0]], np.uint8)
    assert composite(rgba).tolist() == [[1, 2, 3], [255, 255, 255]]
    assert composite(rgba).dtype == np.uint8
