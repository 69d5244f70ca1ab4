import math

import numpy as np
import pytest

from manyfields.views import check_views, read_views, usable_views


def found(folder):
    return {(p.view, p.kind, p.fatal) for p in check_views(read_views(folder))}


def set_pose(number, pose):
    return lambda content: content["frames"][number].update(transform_matrix=np.asarray(pose).tolist())


def test_good_views_have_no_problem(make, tmp_path):
    make.transforms(tmp_path / "a")
    views = read_views(tmp_path)
    assert check_views(views) == []
    usable, problems = usable_views(views)
    assert problems == [] and usable[0] is views[0]


def test_missing_truncated_and_false_images_are_unreadable(make, tmp_path):
    make.transforms(tmp_path, 8)
    whole = (tmp_path / "rgba" / "001.png").read_bytes()
    (tmp_path / "rgba" / "000.png").unlink()
    (tmp_path / "rgba" / "001.png").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "rgba" / "002.png").write_bytes(b"no picture")
    (tmp_path / "rgba" / "003.png").write_bytes(whole[:60] + bytes([whole[60] ^ 0xFF]) + whole[61:])
    assert found(tmp_path) == {(f"rgba/{i:03d}", "unreadable", False) for i in range(4)}


def test_empty_and_one_coloured_images_are_blank(make, tmp_path):
    make.transforms(tmp_path)
    empty, grey = np.zeros((8, 8, 4), np.uint8), np.full((8, 8, 4), 255, np.uint8)
    empty[0, 0, 0] = 9  # hidden colour under no alpha
    for number, image in [(1, empty), (3, grey), (4, grey)]:
        make.save_picture(tmp_path / "rgba" / f"{number:03d}.png", image)
    assert found(tmp_path) == {(f"rgba/{i:03d}", "blank", False) for i in (1, 3, 4)}


def test_poses_that_are_no_rigid_motion(make, tmp_path):
    poses = make.ring(9)
    poses[0][1, 2] = math.nan
    poses[1][:3, 1] *= 1.1  # axes of unequal lengths
    poses[2][:3, 0] *= -1
    poses[3][3] = [0, 0, 1, 1]
    poses[4][:3, 0] = poses[4][:3, 1]
    poses[5][:3, :3] *= 1.0001  # within what files are rounded to
    make.transforms(tmp_path, poses=poses)
    make.edit(tmp_path, lambda content: content["frames"][8].update(transform_matrix=[[1, 2], [3]]))
    assert found(tmp_path) == {(f"rgba/{i:03d}", "pose", False) for i in (0, 1, 2, 3, 4, 8)}


@pytest.mark.parametrize("turn", ["away", "aside"])
def test_a_camera_that_does_not_see_the_object(make, tmp_path, turn):
    make.transforms(tmp_path)
    pose = make.ring(6)[2]
    right, up, back = pose[:3, 0].copy(), pose[:3, 1].copy(), pose[:3, 2].copy()
    if turn == "away":
        pose[:3, 0], pose[:3, 2] = -right, -back
    else:
        pose[:3, 0], pose[:3, 1], pose[:3, 2] = back, up, -right
    make.edit(tmp_path, set_pose(2, pose))
    assert found(tmp_path) == {("rgba/002", "unseen", False)}


def test_a_camera_that_sees_only_the_rim_is_good(make, tmp_path):
    make.transforms(tmp_path)
    pose = make.ring(6)[2]
    pose[:3, 3] += 1.5 * pose[:3, 0]
    make.edit(tmp_path, set_pose(2, pose))
    assert found(tmp_path) == set()


def test_duplicates_by_image_and_by_pose(make, tmp_path):
    make.transforms(tmp_path, 8)
    make.save_picture(tmp_path / "rgba" / "004.png", make.picture(1))
    make.edit(tmp_path, set_pose(6, make.ring(8)[0]))
    make.edit(tmp_path, lambda content: content["frames"].append(content["frames"][7]))
    views = read_views(tmp_path)
    problems = {p.view: p.message for p in check_views(views)}
    assert problems == {
        "rgba/004": "the same image as view rgba/001",
        "rgba/006": "the same pose as view rgba/000, but another image",
        "rgba/007": "the same image as view rgba/007",
    }
    usable, _ = usable_views(views)
    assert usable[0].names == [f"rgba/{i:03d}" for i in (0, 1, 2, 3, 5, 7)]


def test_sizes(make, tmp_path):
    make.transforms(tmp_path / "mixed")
    make.save_picture(tmp_path / "mixed" / "rgba" / "003.png", make.picture(3, 9, 8))
    make.transforms(tmp_path / "wrong", w=16, h=12)
    make.transforms(tmp_path / "other", w=None, h=None)
    for i in range(6):
        make.save_picture(tmp_path / "other" / "rgba" / f"{i:03d}.png", make.picture(i, 10, 10))
    make.transforms(tmp_path / "plain")
    problems = check_views(read_views(tmp_path))
    assert {(p.object, p.view, p.kind, p.fatal) for p in problems} == {
        ("mixed", "rgba/003", "size", False),
        ("wrong", None, "unreadable", True),
        ("other", None, "size", False),
    }
    assert any("the image is 8x8, its camera 16x12: another shape" in p.message for p in problems)
    assert usable_views(read_views(tmp_path))[0].ids == ["mixed", "other", "plain"]


@pytest.mark.parametrize("box", [[[-1, -1, -1], [1, 1, 1]], None])
def test_opencv_poses_given_as_opengls(make, tmp_path, box):
    poses = [pose @ np.diag([1.0, -1, -1, 1]) for pose in make.ring(6)]
    make.transforms(tmp_path, poses=poses, aabb=box)
    (problem,) = check_views(read_views(tmp_path))
    assert (problem.view, problem.kind, problem.fatal) == (None, "convention", True)
    assert "6 of 6 cameras look away" in problem.message
    assert "have OpenCV axes where OpenGL axes belong; negate the second and third column" in problem.message


def test_too_few_views(make, tmp_path):
    make.transforms(tmp_path / "two", 2)
    make.transforms(tmp_path / "left", 4)
    for i in range(2):
        (tmp_path / "left" / "rgba" / f"{i:03d}.png").unlink()
    views = read_views(tmp_path)
    few = {p.object: p.message for p in check_views(views) if p.kind == "few" and p.fatal}
    assert few["two"].startswith("only 2 of its 2 views are good")
    assert few["left"].startswith("only 2 of its 4 views are good")
    assert len(usable_views(views)[0]) == 0


def test_bad_views_and_objects_are_set_aside_and_reported(make, tmp_path):
    make.transforms(tmp_path / "good")
    make.transforms(tmp_path / "part")
    (tmp_path / "part" / "rgba" / "002.png").unlink()
    make.transforms(tmp_path / "flipped", poses=[pose @ np.diag([1.0, -1, -1, 1]) for pose in make.ring(6)])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "transforms.json").write_text("{")
    views = read_views(tmp_path)
    usable, problems = usable_views(views)
    assert usable.ids == ["good", "part"] and usable["part"].names == [f"rgba/{i:03d}" for i in (0, 1, 3, 4, 5)]
    assert usable["part"].images().shape[0] == 5
    assert {(p.object, p.kind, p.fatal) for p in problems} == {
        ("broken", "unreadable", True),
        ("flipped", "convention", True),
        ("part", "unreadable", False),
    }
    assert problems == check_views(views)
    assert check_views(usable) == []


@pytest.mark.parametrize("folder", ["renders/vehicles/kaykit_police", "captures/lego", "captures/fox"])
def test_real_views_are_good(shared, folder):
    assert check_views(read_views(shared / "data" / folder)) == []


def test_an_object_of_test_views_alone_is_set_aside(make, tmp_path):
    make.transforms(tmp_path / "good")
    make.transforms(tmp_path / "tests", test_filenames=[f"rgba/{i:03d}.png" for i in range(6)])
    usable, (problem,) = usable_views(read_views(tmp_path))
    assert usable.ids == ["good"] and problem.fatal and "all 6 good views are test views" in problem.message


def test_whatever_fails_in_the_check_of_an_object_the_others_are_looked_at(make, tmp_path, monkeypatch):
    from manyfields.views import check

    make.transforms(tmp_path / "a")
    make.transforms(tmp_path / "b")
    real = check._look

    def failing(item, index):
        if item.id == "a":
            raise MemoryError("no more")
        return real(item, index)

    monkeypatch.setattr(check, "_look", failing)
    usable, (problem,) = usable_views(read_views(tmp_path))
    assert usable.ids == ["b"] and problem.fatal and "MemoryError: no more" in problem.message


def test_remarks_and_problems_are_told_apart(make, tmp_path):
    make.transforms(tmp_path / "a", object_id="x/y", remarks=["its skin is ignored"])
    (tmp_path / "a" / "rgba" / "003.png").unlink()
    found = {(problem.kind, problem.remark) for problem in check_views(read_views(tmp_path))}
    assert found == {("name", True), ("mesh", True), ("unreadable", False)}
