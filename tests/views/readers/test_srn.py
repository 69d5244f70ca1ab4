import numpy as np
import pytest

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views


def write_srn(make, folder, count=5, image=8, written=8):
    (folder / "pose").mkdir(parents=True)
    for index, pose in enumerate(make.ring(count, radius=1.3)):
        make.save_picture(folder / "rgb" / f"{index:06d}.png", make.picture(index, image, image))
        opencv = pose @ np.diag([1, -1, -1, 1])
        (folder / "pose" / f"{index:06d}.txt").write_text(" ".join(f"{value:.9f}" for value in opencv.ravel()))
    (folder / "intrinsics.txt").write_text(
        f"{written * 1.02} {written / 2} {written / 2} 0.\n0. 0. 0.\n0.\n1.\n{written} {written}\n"
    )
    return folder


def test_srn_poses_are_opencvs(make, tmp_path):
    (item,) = read_views(write_srn(make, tmp_path / "1a04"))
    assert item.id == "1a04" and item.names == [f"rgb/{i:06d}" for i in range(5)]
    np.testing.assert_allclose(item.cameras.focal.numpy(), 8.16, rtol=1e-6)
    rotation = item.cameras.camera_to_world[:, :3, :3].numpy()
    np.testing.assert_allclose(rotation, np.stack(make.ring(5))[:, :3, :3], atol=1e-6)
    scale = 1.3 * 0.5 / 1.02  # what fills the image at the cameras' distance becomes radius 1
    np.testing.assert_allclose(item.world_to_object, np.diag([1 / scale] * 3 + [1]), atol=1e-6)
    np.testing.assert_array_equal(item.images()[3], make.picture(3))
    assert check_views(read_views(tmp_path)) == []


def test_intrinsics_follow_the_size_of_the_images(make, tmp_path):
    (item,) = read_views(write_srn(make, tmp_path / "car", image=8, written=512))
    assert (item.cameras.width, item.cameras.height) == (8, 8)
    np.testing.assert_allclose(item.cameras.focal.numpy(), 8.16, rtol=1e-6)
    np.testing.assert_allclose(item.cameras.center.numpy(), 4, rtol=1e-6)


def test_the_size_is_written_height_first(make, tmp_path):
    folder = write_srn(make, tmp_path / "car")
    for index in range(5):
        make.save_picture(folder / "rgb" / f"{index:06d}.png", make.picture(index, width=12, height=8))
    (folder / "intrinsics.txt").write_text("24 12 8 0.\n0. 0. 0.\n0.\n1.\n16 24\n")
    (item,) = read_views(folder)
    assert (item.cameras.width, item.cameras.height) == (12, 8)
    assert item.cameras.focal[0].tolist() == [12, 12] and item.cameras.center[0].tolist() == [6, 4]


def test_damaged_srn_folders(make, tmp_path):
    good = write_srn(make, tmp_path / "good")
    (good / "pose" / "000001.txt").unlink()
    (good / "pose" / "000002.txt").write_text("1 2 3")
    (write_srn(make, tmp_path / "lost") / "intrinsics.txt").unlink()
    (write_srn(make, tmp_path / "short") / "intrinsics.txt").write_text("5 4")
    views = read_views(tmp_path)
    assert views.ids == ["good"] and len(views[0]) == 4
    problems = {(problem.object, problem.view, problem.kind, problem.fatal) for problem in check_views(views)}
    assert problems == {
        ("good", "rgb/000001", "pose", False),
        ("good", "rgb/000002", "pose", False),
        ("lost", None, "unreadable", True),
        ("short", None, "unreadable", True),
    }
    with pytest.raises(ViewError, match=r"intrinsics\.txt is missing, or is not 'f cx cy 0\.'"):
        read_views(tmp_path / "lost")


def test_opengl_poses_in_an_srn_folder_are_found(make, tmp_path):
    folder = write_srn(make, tmp_path / "car")
    for index, pose in enumerate(make.ring(5, radius=1.3)):
        (folder / "pose" / f"{index:06d}.txt").write_text(" ".join(str(value) for value in pose.ravel()))
    (problem,) = check_views(read_views(folder))
    assert problem.kind == "convention" and problem.fatal
    assert "have OpenGL axes where OpenCV axes belong" in problem.message


def test_byte_order_marks_and_endings_in_capitals(make, tmp_path):
    folder = write_srn(make, tmp_path / "car")
    for file in [folder / "intrinsics.txt", *(folder / "pose").iterdir()]:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    for file in list((folder / "pose").iterdir()):
        file.rename(file.with_suffix(".TXT"))
    for file in list((folder / "rgb").iterdir()):
        file.rename(file.with_suffix(".PNG"))
    (folder / "rgb" / "._000000.png").write_bytes(b"what macOS adds to an archive")
    (tmp_path / "__MACOSX" / "car").mkdir(parents=True)
    views = read_views(tmp_path)
    assert len(views[0]) == 5 and check_views(views) == []


def test_images_of_two_sizes(make, tmp_path):
    folder = write_srn(make, tmp_path / "car", image=8, written=512)
    make.save_picture(folder / "rgb" / "000002.png", make.picture(2, 16, 16))
    views = read_views(folder)
    assert views[0].images().shape == (5, 8, 8, 4)
    np.testing.assert_allclose(views[0].cameras.focal.numpy(), 8.16, rtol=1e-6)
    assert [problem.kind for problem in check_views(views)] == ["size"]
