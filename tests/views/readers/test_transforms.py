import math

import numpy as np
import pytest
import torch

from manyfields.errors import ViewError
from manyfields.views import read_views


def test_our_own_form(make, tmp_path):
    make.transforms(tmp_path / "a", object_id="car 1", object_class="vehicles", group="g1")
    views = read_views(tmp_path / "a")
    (item,) = views
    assert (item.id, item.label, item.group, views.ids) == ("car 1", "vehicles", "g1", ["car 1"])
    assert item.names == [f"rgba/{i:03d}" for i in range(6)] and item.test_names is None
    np.testing.assert_array_equal(item.world_to_object, np.eye(4))
    np.testing.assert_allclose(item.cameras.camera_to_world.numpy(), np.stack(make.ring(6)), atol=1e-6)
    focal = 4 / math.tan(0.6911112 / 2)
    torch.testing.assert_close(item.cameras.focal, torch.full((6, 2), focal))
    torch.testing.assert_close(item.cameras.center, torch.full((6, 2), 4.0))
    images = item.images()
    assert images.shape == (6, 8, 8, 4) and images.dtype == np.uint8
    np.testing.assert_array_equal(images, np.stack([make.picture(i) for i in range(6)]))
    np.testing.assert_array_equal(item.images([4, 1]), images[[4, 1]])
    part = item.subset([5, 2])
    assert part.names == ["rgba/005", "rgba/002"] and len(part.cameras) == 2
    np.testing.assert_array_equal(part.images(), images[[5, 2]])


def test_nerf_synthetic_form(make, tmp_path):
    """No size, no extensions, './' in front; the validation views are left alone."""
    bare = {"w": None, "h": None, "aabb": None, "extension": ""}
    make.transforms(tmp_path, 5, file="transforms_train.json", prefix="./train", **bare)
    make.transforms(tmp_path, 3, file="transforms_val.json", prefix="./val", **bare)
    make.transforms(tmp_path, 2, file="transforms_test.json", prefix="./test", **bare)
    (item,) = read_views(tmp_path)
    assert item.names == [f"train/{i:03d}" for i in range(5)] + ["test/000", "test/001"]
    assert item.test_names == ("test/000", "test/001")
    assert (item.cameras.width, item.cameras.height) == (8, 8)
    assert item.images().shape == (7, 8, 8, 4)
    assert item.id == tmp_path.name


def test_the_whole_and_its_test_file(make, tmp_path):
    make.transforms(tmp_path, 6)
    make.transforms(tmp_path, 2, file="transforms_test.json")
    (item,) = read_views(tmp_path)
    assert len(item) == 6 and item.test_names == ("rgba/000", "rgba/001")


def test_nerfstudio_form_with_intrinsics_of_a_frame(make, tmp_path):
    make.transforms(tmp_path, 4, camera_angle_x=None, fl_x=10, fl_y=11, cx=3.5, cy=4.5, camera_model="OPENCV", k1=0.1)

    def change(content):
        content["frames"][2].update(fl_x=20, k1=0, k2=0.3)
        content["frames"][3].update(w=16, h=24)

    make.edit(tmp_path, change)
    views = read_views(tmp_path)
    (item,) = views
    assert item.cameras.focal.tolist() == [[10, 11], [10, 11], [20, 11]]
    assert item.cameras.center[0].tolist() == [3.5, 4.5]
    assert [(lens.k1, lens.k2) for lens in item.lenses] == [(0.1, 0), (0.1, 0), (0, 0.3)]
    (problem,) = views.problems
    assert (problem.view, problem.kind, problem.fatal) == ("rgba/003", "size", False)
    assert "the image is 8x8, its camera 16x24: another shape" in problem.message
    bent, plain = item.images([0])[0], make.picture(0)
    assert (bent != plain).any()


def test_fisheye_and_unknown_cameras(make, tmp_path):
    make.transforms(tmp_path / "a", 3, camera_model="OPENCV_FISHEYE", k1=0.01)
    make.transforms(tmp_path / "b", 3, camera_model="EQUIRECTANGULAR")
    views = read_views(tmp_path)
    assert views["a"].lenses[0].fisheye
    (problem,) = views.problems
    assert problem.object == "b" and "camera_model EQUIRECTANGULAR is not one of" in problem.message


def test_unnamed_world_is_placed_by_its_cameras(make, tmp_path):
    """An object of radius 5 at (100, -40, 7), and one camera that looks elsewhere."""
    center = np.array([100.0, -40.0, 7.0])
    poses = []
    for pose in make.ring(12, radius=15):
        pose[:3, 3] += center
        poses.append(pose)
    poses[3] = make.look_at_origin(np.array([1.0, 2.0, 3.0]))
    poses[5] = np.full((4, 4), math.nan)
    make.transforms(tmp_path, poses=poses, aabb=None)
    (item,) = read_views(tmp_path)
    np.testing.assert_allclose(item.world_to_object[:3, :3], np.eye(3) / (15 * math.tan(0.6911112 / 2)), rtol=0.02)
    np.testing.assert_allclose(item.world_to_object[:3] @ [*center, 1], 0, atol=0.02)
    good = [i for i in range(12) if i not in (3, 5)]
    pixels, _ = item.cameras[good].project(torch.zeros(10, 1, 3))
    torch.testing.assert_close(pixels, torch.full((10, 1, 2), 4.0), atol=0.2, rtol=0)


def test_parallel_cameras_get_a_centre_in_front_of_them(make, tmp_path):
    poses = []
    for index in range(5):
        pose = np.eye(4)
        pose[:3, 3] = [index * 0.5, index % 2, 3]
        poses.append(pose)
    make.transforms(tmp_path, poses=poses, aabb=None)
    (item,) = read_views(tmp_path)
    _, depth = item.cameras.project(torch.zeros(5, 1, 3))
    assert (depth > 1).all()


def test_a_panorama_is_refused(make, tmp_path):
    poses = make.ring(6)
    for pose in poses:
        pose[:3, 3] = 0
    make.transforms(tmp_path, poses=poses, aabb=None)
    with pytest.raises(ViewError, match="all cameras stand at one point"):
        read_views(tmp_path)


def test_a_set_with_class_folders_and_broken_objects(make, tmp_path):
    make.transforms(tmp_path / "food" / "apple", 3)
    make.transforms(tmp_path / "food" / "pear", 3, object_id="pear", object_class="fruit")
    make.transforms(tmp_path / "props" / "x", 3, object_id="same")
    make.transforms(tmp_path / "tools" / "x", 3, object_id="same")
    make.transforms(tmp_path / "zebra", 3)
    for name, text in {
        "bad_json": "{",
        "bad_frames": '{"frames": 3}',
        "bad_focal": '{"w": 8, "h": 8, "fl_x": NaN, "frames": [{"file_path": "a.png", "transform_matrix": 1}]}',
        "bad_pose": '{"w": 8, "h": 8, "fl_x": 9, "frames": [{"file_path": "a.png", "transform_matrix": [[1]]}]}',
        "bad_number": '{"w": "wide", "h": 8, "fl_x": 9, "frames": [{"file_path": "a.png"}]}',
        "bad_angle": '{"w": 8, "h": 8, "camera_angle_x": 0, "frames": [{"file_path": "a.png"}]}',
        "empty": '{"frames": []}',
        "deep": "[" * 100_000,
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "transforms.json").write_text(text)
    (tmp_path / "nothing").mkdir()
    (tmp_path / ".hidden").mkdir()
    views = read_views(tmp_path)
    assert views.ids == ["food-apple", "pear", "props-x", "tools-x", "zebra"]
    assert [item.label for item in views] == ["food", "fruit", "props", "tools", None]
    assert views["zebra"] is views[4] and len(views) == 5
    remarks = {problem.object: problem.message for problem in views.problems if problem.remark}
    assert remarks.keys() == {"props-x", "tools-x"} and "'same' is claimed by 2 objects" in remarks["props-x"]
    faults = [problem for problem in views.problems if not problem.remark]
    messages = {problem.object: problem.message for problem in faults}
    assert all(problem.fatal and "\n" not in problem.message for problem in faults)
    expected = {
        "bad_json": "not readable JSON",
        "bad_frames": "has no list of frames",
        "bad_focal": "intrinsics are not finite",
        "bad_pose": "none of its poses",
        "bad_number": "a number is missing or senseless",
        "bad_angle": "a number is missing or senseless",
        "empty": "neither fl_x nor camera_angle_x|no views|w and h are not given",
        "deep": "not readable JSON",
        "nothing": "no object here",
    }
    assert messages.keys() == expected.keys()
    for name, pattern in expected.items():
        assert any(part in messages[name] for part in pattern.split("|")), (name, messages[name])


def test_nothing_usable_says_what_is_understood(make, tmp_path):
    with pytest.raises(ViewError, match=r"no usable object; it should hold transforms\.json"):
        read_views(tmp_path)
    with pytest.raises(ViewError, match="is not a folder"):
        read_views(tmp_path / "absent")
    make.transforms(tmp_path, 2, file="transforms_test.json")
    with pytest.raises(ViewError, match=r"neither transforms\.json nor transforms_train\.json"):
        read_views(tmp_path)


def test_images_of_every_kind_become_rgba(make, tmp_path):
    make.transforms(tmp_path, 4)
    hidden = make.picture(0)
    hidden[0, 0, :3] = 99  # colour under no alpha
    make.save_picture(tmp_path / "rgba" / "000.png", hidden)
    make.save_picture(tmp_path / "rgba" / "001.png", make.picture(1)[..., :3])
    make.save_picture(tmp_path / "rgba" / "002.png", make.picture(2)[..., 0])
    make.save_picture(tmp_path / "rgba" / "003.png", make.picture(3)[..., 0].astype(np.uint16) * 257)
    images = read_views(tmp_path)[0].images()
    np.testing.assert_array_equal(images[0], make.picture(0))
    np.testing.assert_array_equal(images[1, ..., :3], make.picture(1)[..., :3])
    for index in (2, 3):
        np.testing.assert_array_equal(images[index, ..., :3], make.picture(index)[..., :1].repeat(3, -1))
    assert (images[1:, ..., 3] == 255).all()


def test_images_that_are_asked_for_and_missing_are_named(make, tmp_path):
    make.transforms(tmp_path / "cup", 3)
    (tmp_path / "cup" / "rgba" / "001.png").unlink()
    (item,) = read_views(tmp_path / "cup")
    with pytest.raises(ViewError, match=r"^object cup, view rgba/001: no image at"):
        item.images()
    make.save_picture(tmp_path / "cup" / "rgba" / "002.png", make.picture(2, 9, 8))
    with pytest.raises(ViewError, match=r"^object cup, view rgba/002: the image is 9x8 where it was 8x8"):
        item.images([2])
    with pytest.raises(ViewError, match="has no object 'mug'"):
        read_views(tmp_path)["mug"]


def test_reading_decodes_no_image(make, tmp_path):
    make.transforms(tmp_path)
    for picture in (tmp_path / "rgba").iterdir():
        picture.write_bytes(picture.read_bytes()[:60])  # the header, which has the size
    (tmp_path / "rgba" / "003.png").unlink()
    (item,) = read_views(tmp_path)
    assert len(item) == 6 and item.sizes == [(8, 8)] * 6


def test_lego_and_the_vehicles_lie_in_the_unit_sphere(shared):
    """Every ray through an opaque pixel of the real pictures meets the sphere."""
    data = shared / "data"
    for folder, views in [("captures/lego", 300), ("renders/vehicles/kaykit_police", 40)]:
        (item,) = read_views(data / folder)
        assert len(item) == views
        picked = list(range(0, views, views // 10))
        opaque = torch.from_numpy(item.images(picked)[..., 3].reshape(len(picked), -1) > 127)
        rays = item.cameras[picked].rays()
        along = (rays.origins * rays.directions).sum(-1, keepdim=True)
        nearest = (rays.origins - along * rays.directions).norm(dim=-1)
        assert 0.6 < nearest[opaque].max() < 1
        assert (item.cameras.camera_to_world[:, :3, 3].norm(dim=-1) > 1).all()


def test_fox_is_placed_around_the_origin(shared):
    (fox,) = read_views(shared / "data" / "captures" / "fox")
    assert len(fox) == 50 and (fox.cameras.width, fox.cameras.height) == (270, 480)
    pixels, depth = fox.cameras.project(torch.zeros(50, 1, 3))
    assert (depth > 1).all()
    assert ((pixels > 0) & (pixels < torch.tensor([270.0, 480.0]))).all()
