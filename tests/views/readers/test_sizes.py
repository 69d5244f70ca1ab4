import numpy as np
import pytest
import torch
from PIL import Image

from manyfields.views import check_views, read_views
from manyfields.views.readers.sizes import same_shape


def resize(folder, size, only=None):
    for file in sorted((folder / "rgba").iterdir()):
        if only is None or int(file.stem) in only:
            Image.open(file).resize(size).save(file)


def kinds(views):
    return [(problem.view, problem.kind, problem.fatal) for problem in check_views(views)]


def test_same_shape():
    for first, second in [((1365, 2048), (682, 1024)), ((48, 48), (24, 24)), ((4000, 3000), (1600, 1198))]:
        assert same_shape(first, second) and same_shape(second, first)
    for first, second in [((9, 8), (8, 8)), ((1920, 1080), (1080, 1920)), ((640, 480), (320, 180)), ((16, 12), (8, 8))]:
        assert not same_shape(first, second) and not same_shape(second, first)


@pytest.mark.parametrize("size", [(8, 4), (32, 16)])
def test_cameras_follow_images_that_were_resized(make, tmp_path, size):
    make.transforms(tmp_path, w=16, h=8, camera_angle_x=None, fl_x=20, fl_y=22, cx=8.5, cy=4.25)
    resize(tmp_path, size)
    views = read_views(tmp_path)
    (item,), scale = views, size[0] / 16
    assert (item.cameras.width, item.cameras.height) == size
    torch.testing.assert_close(item.cameras.focal[0], torch.tensor([20.0, 22.0]) * scale)
    torch.testing.assert_close(item.cameras.center[0], torch.tensor([8.5, 4.25]) * scale)
    assert kinds(views) == [(None, "size", False)]
    assert f"images are {size[0]}x{size[1]} where their cameras say 16x8 (6 of 6 views)" in views.problems[0].message


def test_without_a_size_the_centre_tells_of_the_images_that_it_was_for(make, tmp_path):
    make.transforms(tmp_path, w=None, h=None, camera_angle_x=None, fl_x=20, cx=8.1, cy=8)
    (item,) = read_views(tmp_path)
    assert item.cameras.focal[0].tolist() == [10, 10] and item.cameras.center[0].tolist() == pytest.approx([4.05, 4])


def test_images_of_several_sizes_are_all_used(make, tmp_path):
    make.transforms(tmp_path, 6, w=None, h=None)
    before = read_views(tmp_path)[0]
    pictures = before.images()
    resize(tmp_path, (16, 16), only=(1, 3))
    views = read_views(tmp_path)
    (item,) = views
    assert kinds(views) == [(None, "size", False)]
    assert "its images have 2 sizes (4 of 8x8, 2 of 16x16): all become 8x8" in views.problems[0].message
    torch.testing.assert_close(item.cameras.focal, before.cameras.focal)
    assert item.images().shape == (6, 8, 8, 4) and item.stored_image(1).shape == (16, 16, 4)
    np.testing.assert_array_equal(item.images([2]), pictures[[2]])
    assert np.abs(item.images([1])[0, ..., 3].astype(int) - pictures[1, ..., 3]).mean() < 16
    assert item.subset([3]).images().shape == (1, 8, 8, 4)


def test_portrait_and_landscape_of_one_object(make, tmp_path):
    """Each has its own camera; both look at the object's centre after they were brought to one size."""
    make.transforms(tmp_path, 6, w=None, h=None, camera_angle_x=None, fl_x=12)
    resize(tmp_path, (12, 8))
    resize(tmp_path, (8, 12), only=(1, 3))
    views = read_views(tmp_path)
    (item,) = views
    assert kinds(views) == [(None, "size", False)] and (item.cameras.width, item.cameras.height) == (12, 8)
    torch.testing.assert_close(item.cameras.focal[1], torch.tensor([12.0 * 12 / 8, 12.0 * 8 / 12]))
    pixels, _ = item.cameras.project(torch.zeros(6, 1, 3))
    torch.testing.assert_close(pixels[:, 0], torch.tensor([[6.0, 4.0]]).expand(6, 2), atol=1e-4, rtol=0)


def lay_on_side(folder, orientation):
    """The pictures, turned by a quarter, with an EXIF orientation that turns them back."""
    for file in sorted((folder / "rgba").iterdir()):
        image = Image.open(file).transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        image.save(file, exif=exif)


def test_images_are_turned_where_their_cameras_are_upright(make, tmp_path):
    make.transforms(tmp_path, w=6, h=8)
    resize(tmp_path, (6, 8))
    upright = read_views(tmp_path)[0].images()
    lay_on_side(tmp_path, 6)
    views = read_views(tmp_path)
    assert "6 of 6 images are turned as their EXIF orientation says" in views.problems[0].message
    np.testing.assert_array_equal(views[0].images(), upright)
    assert kinds(views) == [(None, "size", False)]


def test_an_orientation_is_left_alone_where_cameras_are_those_of_the_pixels(make, tmp_path):
    make.transforms(tmp_path, w=8, h=6)
    resize(tmp_path, (6, 8))
    lay_on_side(tmp_path, 6)
    views = read_views(tmp_path)
    assert views.problems == [] and views[0].images().shape == (6, 6, 8, 4)


def test_what_has_another_shape_is_left_out(make, tmp_path):
    make.transforms(tmp_path / "cup")
    resize(tmp_path / "cup", (8, 5), only=(2,))
    make.transforms(tmp_path / "pot", w=6, h=8)
    resize(tmp_path / "pot", (6, 8))
    lay_on_side(tmp_path / "pot", None)
    views = read_views(tmp_path)
    messages = {problem.object: (problem.view, problem.message) for problem in views.problems}
    assert messages["cup"] == (
        "rgba/002",
        "the image is 8x5, its camera 8x8: another shape, so it was cut or stretched; correct w, h, the focal length "
        "and the centre",
    )
    assert (
        messages["pot"][0] is None and "lies on its side, and no EXIF orientation says which way" in messages["pot"][1]
    )
