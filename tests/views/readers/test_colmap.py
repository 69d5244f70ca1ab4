import shutil
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views
from manyfields.views.readers import colmap
from manyfields.views.readers.colmap_files import PARAMETERS, ColmapCamera


def write_colmap(make, folder, camera="PINHOLE 8 8 9 10 4 4.5", count=5, name="{}.png", points=""):
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    (sparse / "cameras.txt").write_text(f"1 {camera}\n")
    lines = []
    for index, pose in enumerate(make.ring(count, radius=4)):
        make.save_picture(folder / "images" / name.format(f"{index:03d}"), make.picture(index))
        world_to_camera = np.linalg.inv(pose @ np.diag([1, -1, -1, 1]))
        x, y, z, w = Rotation.from_matrix(world_to_camera[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.12f}" for value in [w, x, y, z, *world_to_camera[:3, 3]])
        lines.append(f"{index + 1} {numbers} 1 {name.format(f'{index:03d}')}\n{points}\n")
    (sparse / "images.txt").write_text("".join(reversed(lines)))
    (sparse / "points3D.txt").write_text("")
    return folder


def test_a_text_model(make, tmp_path):
    (item,) = read_views(write_colmap(make, tmp_path / "shoe"))
    assert item.id == "shoe" and item.names == [f"images/{i:03d}" for i in range(5)]
    assert item.cameras.focal.tolist() == [[9, 10]] * 5 and item.cameras.center[0].tolist() == [4, 4.5]
    radius = 4 * 0.4  # half of the smaller field of view: 4 of 10 pixels focal length
    np.testing.assert_allclose(item.world_to_object, np.diag([1 / radius] * 3 + [1]), atol=1e-6)
    expected = np.stack(make.ring(5, radius=4 / radius))
    np.testing.assert_allclose(item.cameras.camera_to_world.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(item.images([2])[0], make.picture(2))
    assert check_views(read_views(tmp_path)) == []


@pytest.mark.parametrize(
    ("camera", "lens"),
    [
        ("SIMPLE_PINHOLE 8 8 9 4 4", None),
        ("SIMPLE_RADIAL 8 8 9 4 4 0.1", {"k1": 0.1}),
        ("OPENCV 8 8 9 9 4 4 0.1 0.2 0.3 0.4", {"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}),
        ("OPENCV 8 8 9 9 4 4 0 0 0 0", None),
        ("OPENCV_FISHEYE 8 8 9 9 4 4 0.1 0.2 0.3 0.4", {"k1": 0.1, "k4": 0.4, "fisheye": True}),
    ],
)
def test_lenses(make, tmp_path, camera, lens):
    (item,) = read_views(write_colmap(make, tmp_path / "shoe", camera))
    assert item.cameras.focal[0].tolist() == [9, 9]
    found = item.lenses[0]
    assert found is None if lens is None else {key: getattr(found, key) for key in lens} == lens


def test_the_lens_bends_as_colmaps_does():
    pycolmap = pytest.importorskip("pycolmap")
    plane = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 2))
    understood = 0
    for model, names in PARAMETERS.items():
        values = [9.0 if n[0] == "f" else 4.0 if n[0] == "c" else 0.03 * (i + 1) for i, n in enumerate(names.split())]
        camera = ColmapCamera(model, 8, 8, tuple(values))
        if not colmap._is_understood(camera):
            continue
        (fx, fy, cx, cy, _, _), lens = colmap._intrinsics(camera)
        bent = plane if lens is None else lens.distort(plane)
        theirs = pycolmap.Camera(model=model, width=8, height=8, params=values)
        expected = np.stack([theirs.img_from_cam(np.append(point, 1.0)) for point in plane])
        np.testing.assert_allclose(bent * [fx, fy] + [cx, cy], expected, atol=1e-6, err_msg=model)
        understood += 1
    assert understood == 11


def test_camera_models_have_colmaps_numbers_and_parameters():
    pycolmap = pytest.importorskip("pycolmap")
    for number, (model, names) in enumerate(PARAMETERS.items()):
        try:
            theirs = pycolmap.CameraModelId(number)
        except ValueError:
            break  # an older pycolmap
        camera = pycolmap.Camera.create_from_model_id(1, theirs, 10.0, 8, 8)
        assert theirs.name == model and len(camera.params) == len(names.split())


def both_forms(make, folder, pycolmap, name="{}.png"):
    """A binary and a text model of the same images, with points, as COLMAP itself writes them."""
    source = write_colmap(make, folder / "source", name=name)
    model = pycolmap.Reconstruction(str(source / "sparse" / "0"))
    for image in model.images.values():
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D([1.5, 2.5]), pycolmap.Point2D([3.0, 4.0])])
    for form, write in [("binary", model.write_binary), ("text", model.write_text)]:
        (folder / form / "sparse" / "0").mkdir(parents=True)
        write(str(folder / form / "sparse" / "0"))
        shutil.copytree(source / "images", folder / form / "images")
    shutil.rmtree(source)


def test_what_colmap_writes_is_read_alike_with_and_without_points(make, tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    both_forms(make, tmp_path, pycolmap)
    (tmp_path / "binary" / "sparse" / "0" / "points3D.bin").write_bytes(b"")
    (tmp_path / "text" / "sparse" / "0" / "points3D.txt").unlink()
    views = read_views(tmp_path)
    assert views.ids == ["binary", "text"] and check_views(views) == []
    binary, text = views
    assert binary.names == text.names == [f"images/{i:03d}" for i in range(5)]
    np.testing.assert_allclose(binary.cameras.camera_to_world, text.cameras.camera_to_world, atol=1e-6)
    np.testing.assert_allclose(binary.cameras.focal, text.cameras.focal)


@pytest.mark.parametrize("form", ["binary", "text"])
def test_names_with_spaces_and_in_folders(make, tmp_path, form):
    if form == "binary":
        both_forms(make, tmp_path, pytest.importorskip("pycolmap"), name="left_side/shop{}.png")
    else:
        write_colmap(make, tmp_path / form, name="left side/shop floor ({}).png")
    (item,) = read_views(tmp_path / form).only([form])
    assert len(item) == 5 and item.images().shape == (5, 8, 8, 4)
    if form == "text":
        assert item.names[2] == "images/left side/shop floor (002)"


def test_a_text_model_as_a_script_writes_it(make, tmp_path):
    """No lines of points, a byte order mark, lines that end as on Windows."""
    folder = write_colmap(make, tmp_path / "shoe")
    for name in ("cameras.txt", "images.txt"):
        file = folder / "sparse" / "0" / name
        lines = [line for line in file.read_text().splitlines() if line]
        file.write_bytes(b"\xef\xbb\xbf# by a script\r\n" + "\r\n".join(lines).encode())
    (item,) = read_views(folder)
    assert len(item) == 5 and check_views(read_views(folder)) == []


def test_lines_of_points_are_no_images(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe", points="1.5 2.5 -1 3.0 4.0 7 1 2 3 4 5 6")
    assert len(read_views(folder)[0]) == 5


def test_names_that_end_in_a_number_are_no_points(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe", name="a b {}.png")
    file = folder / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace(".png", ""))
    assert read_views(folder)[0].names == [f"images/a b {i:03d}" for i in range(5)]


def test_the_largest_model_is_taken_and_said(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe", count=5)
    for number, count in [("1", 3), ("2", 4), ("10", 5)]:
        write_colmap(make, tmp_path / "other", count=count)
        (tmp_path / "other" / "sparse" / "0").rename(folder / "sparse" / number)
        shutil.rmtree(tmp_path / "other")
    (folder / "sparse" / "3").mkdir()
    (folder / "sparse" / "3" / "cameras.bin").write_bytes(b"")
    (folder / "sparse" / "3" / "images.bin").write_bytes((10**15).to_bytes(8, "little"))
    (folder / "sparse" / "0" / "images.txt").write_text("")
    make.save_picture(folder / "images" / "left over.JPG", make.picture(77)[..., :3])
    views = read_views(folder)
    assert len(views[0]) == 5
    messages = [problem.message for problem in views.problems]
    assert all(problem.remark for problem in views.problems)
    assert any("the largest is taken, sparse/10, of 5 images; not sparse/1 of 3, sparse/2 of 4" in m for m in messages)
    assert sum("damaged" in message for message in messages) == 2
    assert "1 of 6 photographs have no pose in sparse/10" in messages


@pytest.mark.parametrize("naming", ["{}.png.png", "{}.png", "{}.PNG"])
def test_masks_beside_the_images_become_alpha(make, tmp_path, naming):
    folder = write_colmap(make, tmp_path / "shoe")
    for index in range(5):
        make.save_picture(folder / "images" / f"{index:03d}.png", make.picture(index)[..., :3] | 1)
        mask = np.zeros((16, 16), np.uint8)
        mask[4:12, 2:10] = 255
        make.save_picture(folder / "masks" / naming.format(f"{index:03d}"), mask)
    views = read_views(folder)
    alpha = views[0].images()[..., 3]
    assert views.problems == [] and (alpha[:, 2:6, 1:5] > 200).all() and not alpha[:, 7].any()
    (folder / "masks" / naming.format("001")).unlink()
    (problem,) = read_views(folder).problems
    assert (problem.view, problem.kind) == ("images/001", "mask")
    shutil.rmtree(folder / "masks")
    make.save_picture(folder / "masks" / "elsewhere.png", np.zeros((8, 8), np.uint8))
    (problem,) = read_views(folder).problems
    assert problem.remark and "none of the 1 images in masks/ is named after an image" in problem.message


def test_cameras_follow_reduced_images(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe", camera="PINHOLE 16 16 18 20 8 9")
    (folder / "images").rename(folder / "images_2")
    views = read_views(folder)
    assert views[0].cameras.focal[0].tolist() == [9, 10] and views[0].cameras.center[0].tolist() == [4, 4.5]
    assert [problem.kind for problem in views.problems] == ["size", "size"]
    assert "there is no images/: the images are read from images_2/" in views.problems[0].message


def test_damaged_models(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe")
    whole = folder / "sparse" / "0" / "images.txt"
    text = whole.read_text()
    whole.write_text(text.replace(" 1 004.png", ""))
    with pytest.raises(ViewError, match=r"sparse/0 is damaged \(images.txt, line 1: is not 'ID QW"):
        read_views(folder)
    whole.unlink()
    with pytest.raises(ViewError, match="lacks cameras or images"):
        read_views(folder)
    with pytest.raises(ViewError, match="camera model EQUIRECTANGULAR"):
        read_views(write_colmap(make, tmp_path / "hat", "EQUIRECTANGULAR 8 8 8 8"))
    with pytest.raises(ViewError, match="has 2 parameters, not fx fy cx cy"):
        read_views(write_colmap(make, tmp_path / "cap", "PINHOLE 8 8 8 8"))


def test_binary_models_that_lie_take_no_memory(make, tmp_path):
    folder = write_colmap(make, tmp_path / "shoe")
    model = folder / "sparse" / "0"
    many = (2**62).to_bytes(8, "little")
    camera = struct.pack("<QiiQQ4d", 1, 1, 1, 8, 8, 9.0, 9.0, 4.0, 4.0)
    image = struct.pack("<i7di", 1, 1, 0, 0, 0, 0, 0, 4, 1) + b"000.png\0"
    for cameras, images in [
        (many, camera),
        (camera, many),
        (camera, struct.pack("<Q", 1) + image + many),
        (camera, struct.pack("<Q", 1) + image[:-1] + b"x" * 9000),
        (struct.pack("<QiiQQ", 1, 1, 77, 8, 8), many),
        (b"", b""),
    ]:
        (model / "cameras.bin").write_bytes(cameras)
        (model / "images.bin").write_bytes(images)
        with pytest.raises(ViewError, match="sparse/0 is damaged"):
            read_views(folder)
