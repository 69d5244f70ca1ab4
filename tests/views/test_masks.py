import numpy as np
import pytest

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views
from manyfields.views.masks import load_mask


def square(side=8, inside=255, outside=0, dtype=np.uint8):
    mask = np.full((side, side), outside, dtype)
    mask[side // 4 : -side // 4, side // 4 : -side // 4] = inside
    return mask


@pytest.fixture
def photographs(make):
    """Writes an object of opaque images with a mask for each, and gives its folder."""

    def write(folder, mask=None, count=6):
        make.transforms(folder, count)
        mask = square() if mask is None else mask
        for number in range(count):
            make.save_picture(folder / "rgba" / f"{number:03d}.png", make.picture(number)[..., :3] | 1)
            make.save_picture(folder / "masks" / f"{number:03d}.png", mask)

        def add(content):
            for number, frame in enumerate(content["frames"]):
                frame["mask_path"] = f"masks/{number:03d}.png"

        make.edit(folder, add)
        return folder

    return write


@pytest.mark.parametrize(
    "mask",
    [
        square(),
        square(inside=1),
        square(inside=9, outside=3),
        square(dtype=np.uint16),
        square(inside=1, dtype=np.uint16),
        square().astype(bool),
        np.stack([square(inside=128), square(inside=0), square(inside=64)], -1),
        np.concatenate([np.zeros((8, 8, 3), np.uint8), square()[..., None]], -1),
        square(16),
    ],
    ids=["grey", "0 and 1", "two values", "16 bits", "16 bits, 0 and 1", "bits", "colours", "transparency", "larger"],
)
def test_masks_become_alpha(photographs, tmp_path, mask):
    views = read_views(photographs(tmp_path, mask))
    assert check_views(views) == []
    rgba = views[0].images([2])[0]
    np.testing.assert_array_equal(rgba[..., 3], square())
    assert not rgba[rgba[..., 3] == 0].any()
    np.testing.assert_array_equal(views[0].subset([3, 2]).images([1])[0], rgba)


def test_soft_edges_stay_and_transparency_is_not_filled(make, photographs, tmp_path):
    soft = square()
    soft[1], soft[0] = 77, 20
    make.save_picture(tmp_path / "m.png", soft)
    np.testing.assert_array_equal(load_mask(tmp_path / "m.png", 8, 8), soft)
    folder = photographs(tmp_path / "cup", np.full((8, 8), 255, np.uint8))
    make.save_picture(folder / "rgba" / "000.png", make.picture(0))
    np.testing.assert_array_equal(read_views(folder)[0].images([0])[0], make.picture(0))


def test_views_without_a_mask_are_left_out_where_others_have_one(make, photographs, tmp_path):
    folder = photographs(tmp_path, count=8)
    make.edit(folder, lambda content: content["frames"][1].pop("mask_path"))
    (folder / "masks" / "002.png").unlink()
    (folder / "masks" / "003.png").write_bytes(b"no image")
    make.save_picture(folder / "masks" / "004.png", square()[:, :5])
    found = {problem.view: (problem.kind, problem.message) for problem in check_views(read_views(folder))}
    assert found.keys() == {f"rgba/00{number}" for number in (1, 2, 3, 4)}
    assert found["rgba/001"] == ("mask", "it has no mask, as other views have; make one that is white on the object")
    assert "the mask cannot be read: no image at" in found["rgba/002"][1]
    assert "5x8, its image 8x8: it has another shape" in found["rgba/004"][1]


def test_a_mask_of_another_shape_is_an_error(make, tmp_path):
    make.save_picture(tmp_path / "m.png", square()[:4])
    with pytest.raises(ViewError, match="is 8x4, its image 8x8"):
        load_mask(tmp_path / "m.png", 8, 8)
