"""Images from any folder, and from folders of views; what cannot be read is named."""

import numpy as np
import pytest
from PIL import Image

from manyfields.errors import ViewError
from manyfields.views.instances import read_images


def save(path, color, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(path)


def test_any_folder_of_images(tmp_path):
    save(tmp_path / "a.png", (255, 0, 0))
    save(tmp_path / "deep" / "b.jpg", (0, 0, 255))
    save(tmp_path / "deep" / "clear.png", (0, 255, 0, 0))
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no image either")
    found = read_images(tmp_path, side=4)
    assert found.ids == ["a", "deep-b", "deep-clear"] and [item.group for item in found] == [None] * 3
    assert all(item.values.shape == (16, 3) and item.values.dtype == np.uint8 for item in found)
    values = [item.values for item in found]
    assert (values[0] == [255, 0, 0]).all() and (values[2] == 255).all()
    assert [problem.object for problem in found.problems] == ["broken"]
    assert "broken.png" in found.problems[0].message and found.problems[0].fatal
    assert found.only(["deep-clear", "a"]).ids == ["a", "deep-clear"] and found.only([]) is found
    with pytest.raises(ViewError, match="has no object 'b'; it has a, deep-b, deep-clear"):
        found.only(["a", "b"])


def test_pixels_lie_row_by_row_from_the_top_in_the_middle_square(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:2, 2:6] = (255, 0, 0)
    pixels[2:, 2:4] = (0, 255, 0)
    pixels[2:, 4:6] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    values = read_images(tmp_path, side=4).instances[0].values.reshape(4, 4, 3)
    assert (values == pixels[:, 2:6]).all()


def test_files_that_differ_by_their_ending_keep_it(tmp_path):
    save(tmp_path / "a.png", (255, 0, 0))
    save(tmp_path / "a.jpg", (255, 0, 0))
    assert read_images(tmp_path, side=4).ids == ["a.jpg", "a.png"]


def test_views_of_objects_keep_their_groups(tmp_path, shapes):
    folder = shapes.write_set(tmp_path / "set", ["ball_red", "box_flat"], views=3, side=16)
    found = read_images(folder, side=8)
    assert len(found) == 6 and found.ids[0] == "ball_red-000"
    assert [item.group for item in found][3:] == ["box_flat"] * 3
    assert (found.instances[0].values.reshape(8, 8, 3)[0, 0] == 255).all()
    (folder / "box_flat" / "rgba" / "001.png").write_bytes(b"broken")
    found = read_images(folder, side=8)
    assert len(found) == 5 and [problem.object for problem in found.problems] == ["box_flat-001"]


def test_folders_without_images_say_so(tmp_path):
    with pytest.raises(ViewError, match="no such folder of images"):
        read_images(tmp_path / "nowhere")
    with pytest.raises(ViewError, match="holds no image that can be read"):
        read_images(tmp_path)


def test_ids_of_images_can_be_stored_and_differ(tmp_path):
    from manyfields.names import id_fault, same_name

    for name in ("a/b-c.png", "a-b/c.png", "A/B-C.png", "tab\there.png", "x" * 240 + ".png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / name)
    found = read_images(tmp_path, 8)
    assert len(found) == 5 and all(id_fault(name) is None for name in found.ids)
    assert len({same_name(name) for name in found.ids}) == 5
    assert [problem.remark for problem in found.problems] == [True] * len(found.problems) and len(found.problems) >= 4
