import math

import numpy as np
import pytest

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views
from manyfields.views.readers.poses import look_inverted


def rotations(item):
    return item.cameras.camera_to_world[:, :3, :3].numpy()


@pytest.mark.parametrize("scale", [0.25, 1e-6, 4000.0])
@pytest.mark.parametrize("box", [[[-1, -1, -1], [1, 1, 1]], None])
def test_scaled_rotations_become_rotations(make, tmp_path, scale, box):
    poses = make.ring(6)
    for pose in poses:
        pose[:3, :3] *= scale
    make.transforms(tmp_path, poses=poses, aabb=box)
    views = read_views(tmp_path)
    (problem,) = check_views(views)
    assert problem.remark and f"6 of 6 rotations are scaled by {scale:.4g}" in problem.message
    np.testing.assert_allclose(rotations(views[0]), np.stack(make.ring(6))[:, :3, :3], atol=1e-6)


def test_each_rotation_may_have_its_own_scale(make, tmp_path):
    poses = make.ring(6)
    for number, pose in enumerate(poses):
        pose[:3, :3] *= 1 + number
    views = read_views(make.transforms(tmp_path, poses=poses))
    assert "5 of 6 rotations are scaled by 2 to 6" in views.problems[0].message


def test_rounded_rotations_become_rotations(make, tmp_path):
    poses = [np.round(pose, 2) for pose in make.ring(6)]
    views = read_views(make.transforms(tmp_path, poses=poses))
    (problem,) = check_views(views)
    assert problem.remark and "rotations are rounded to few digits" in problem.message
    found = rotations(views[0])
    np.testing.assert_allclose(found.transpose(0, 2, 1) @ found, np.tile(np.eye(3), (6, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(found, np.stack(make.ring(6))[:, :3, :3], atol=0.01)


def test_poses_within_what_files_round_to_are_not_touched(make, tmp_path):
    poses = make.ring(6)
    poses[2][:3, :3] *= 1.0003
    views = read_views(make.transforms(tmp_path, poses=poses))
    assert views.problems == []
    np.testing.assert_array_equal(rotations(views[0])[2], poses[2][:3, :3].astype(np.float32))


@pytest.mark.parametrize(
    "change", [np.diag([1, 1, 1.1]), np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]), np.diag([-2, 2, 2])]
)
def test_sheared_uneven_and_mirrored_axes_stay_an_error(make, tmp_path, change):
    poses = make.ring(6)
    poses[1][:3, :3] = poses[1][:3, :3] @ change
    views = read_views(make.transforms(tmp_path, poses=poses))
    (problem,) = check_views(views)
    assert (problem.view, problem.kind) == ("rgba/001", "pose")


@pytest.mark.parametrize("axes", ["OpenGL", "OpenCV"])
@pytest.mark.parametrize("box", [[[-1, -1, -1], [1, 1, 1]], None])
@pytest.mark.parametrize("shift", [0.0, 0.1, 3.0])
def test_world_to_camera_poses_are_called_that(make, tmp_path, axes, box, shift):
    flip = np.diag([1.0, -1, -1, 1]) if axes == "OpenCV" else np.eye(4)
    poses = []
    for pose in make.ring(8):
        pose[:3, 3] += [shift, -0.5 * shift, shift]
        poses.append(np.linalg.inv(pose @ flip))
    with pytest.raises(ViewError, match="world-to-camera where camera-to-world belongs; invert each pose"):
        read_views(make.transforms(tmp_path, poses=poses, aabb=box))


def test_other_ways_of_looking_are_not_taken_for_inverted(make):
    ring = np.stack(make.ring(12))
    generator = np.random.default_rng(0)
    shifted = ring.copy()
    shifted[:, :3, 3] += [100.0, -40.0, 7.0]
    outwards = ring @ np.diag([-1.0, 1, -1, 1])
    side_by_side = np.tile(np.eye(4), (9, 1, 1))
    side_by_side[:, :3, 3] = generator.normal(size=(9, 3))
    scattered = ring.copy()
    scattered[:, :3, 3] = generator.normal(size=(12, 3)) * 3
    for poses in (ring, shifted, outwards, side_by_side, scattered, ring[:2]):
        assert not look_inverted(poses)


def test_a_zero_or_infinite_rotation_is_a_fault_of_its_view(make, tmp_path):
    poses = make.ring(6)
    poses[0][:3, :3] = 0
    poses[1][0, 0] = math.inf
    poses[2][:3, :3] *= 1e200
    views = read_views(make.transforms(tmp_path, poses=poses))
    assert {problem.view for problem in check_views(views)} == {"rgba/000", "rgba/001", "rgba/002"}


def test_matrices_that_are_flat_or_transposed(make, tmp_path):
    make.transforms(tmp_path)
    poses = make.ring(6)

    def change(content):
        content["frames"][0]["transform_matrix"] = poses[0].ravel().tolist()
        content["frames"][1]["transform_matrix"] = poses[1][:3].ravel().tolist()
        content["frames"][2]["transform_matrix"] = poses[2].T.tolist()

    make.edit(tmp_path, change)
    (problem,) = check_views(read_views(tmp_path))
    assert problem.view == "rgba/002" and problem.message.endswith("but its last column is: transpose it")
