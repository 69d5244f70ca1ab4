import io

import numpy as np
import pytest
from PIL import Image

from manyfields.errors import ViewError
from manyfields.views.images import composite, decode_texture, load_image

RAMP = np.tile(np.linspace(0, 1, 64), (4, 1))
GREY = np.rint(RAMP * 255)


def file_of(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


DEEP = {
    "16-bit grey": (Image.fromarray((RAMP * 65535).astype(np.uint16)), "PNG"),
    "32-bit integers": (Image.fromarray((RAMP * 65535).astype(np.int32)), "TIFF"),
    "floats": (Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "8-bit grey": (Image.fromarray(GREY.astype(np.uint8)), "PNG"),
}


@pytest.mark.parametrize("case", DEEP)
def test_a_ramp_of_any_depth_stays_a_ramp_in_textures_and_photographs(tmp_path, case):
    image, form = DEEP[case]
    data = file_of(image, form)
    (tmp_path / f"a.{form.lower()}").write_bytes(data)
    for pixels in (decode_texture(data), load_image(tmp_path / f"a.{form.lower()}")[..., :3]):
        assert pixels.shape == (4, 64, 3) and pixels.dtype == np.uint8
        np.testing.assert_allclose(pixels, np.repeat(GREY[..., None], 3, 2), atol=1)


def test_textures_have_alpha_only_where_the_file_has_transparency():
    rgba = np.zeros((2, 2, 4), np.uint8) + np.uint8([10, 20, 30, 0])
    assert decode_texture(file_of(Image.fromarray(rgba))).tolist() == rgba.tolist()  # colour behind alpha 0 is kept
    assert decode_texture(file_of(Image.fromarray(rgba[..., :3]))).shape == (2, 2, 3)
    palette = Image.fromarray(np.uint8([[0, 1]]), "L").convert("P")
    assert decode_texture(file_of(palette, transparency=0))[..., 3].tolist() == [[0, 255]]


def test_a_damaged_texture_is_an_error():
    data = file_of(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))
    for damaged in (b"", b"no image", data[: len(data) // 2]):
        with pytest.raises(ViewError, match="damaged or not an image"):
            decode_texture(damaged)


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
