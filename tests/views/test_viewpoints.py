import numpy as np
import pytest

from manyfields.errors import ConfigError
from manyfields.views.viewpoints import RADIUS, camera_poses, generator_for


@pytest.mark.parametrize("viewpoints", ["hemisphere", "sphere", "front"])
def test_cameras_stand_on_the_sphere_upright_and_look_at_the_centre(viewpoints):
    poses = camera_poses(50, viewpoints, seed=3, object_id="chair")
    assert poses.shape == (50, 4, 4)
    rotation, position = poses[:, :3, :3], poses[:, :3, 3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    np.testing.assert_allclose(position, RADIUS * rotation[:, :, 2])  # -z points to the origin
    np.testing.assert_allclose(rotation[:, 2, 0], 0, atol=1e-12)  # x is level
    assert (rotation[:, 2, 1] >= 0).all()  # y points up


def test_each_kind_of_viewpoints_covers_its_part_of_the_sphere_evenly():
    z = camera_poses(1000, "hemisphere")[:, 2, 3] / RADIUS
    assert z.min() >= 0 and abs(z.mean() - 0.5) < 0.01
    z = camera_poses(1000, "sphere")[:, 2, 3] / RADIUS
    assert z.min() < -0.99 and z.max() > 0.99 and abs(z.mean()) < 0.01
    positions = camera_poses(1000, "front")[:, :3, 3] / RADIUS
    assert (positions[:, 1] < 0).all()
    angle = np.rad2deg(np.arctan2(positions[:, 0], -positions[:, 1]))
    elevation = np.rad2deg(np.arcsin(positions[:, 2]))
    assert -60 <= angle.min() < -55 and 55 < angle.max() <= 60
    assert -5.001 <= elevation.min() < -4 and 44 < elevation.max() <= 45.001


def test_cameras_of_a_plane_stand_in_front_and_look_nearly_straight_on():
    poses = camera_poses(400, "plane", seed=2)
    rotation, position = poses[:, :3, :3], poses[:, :3, 3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (400, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    np.testing.assert_allclose(position[:, 1], -RADIUS)
    aside = position[:, [0, 2]]
    assert abs(aside).max() <= 0.6 and (abs(aside).max(0) > 0.59).all() and (abs(aside.mean(0)) < 0.01).all()
    # Where each camera's axis meets the plane through the object's middle.
    steps = -position[:, 1] / -rotation[:, 1, 2]
    met = position - steps[:, None] * rotation[:, :, 2]
    np.testing.assert_allclose(met[:, [0, 2]], 0.3 * aside, atol=1e-12)


def test_views_depend_on_seed_and_object_id_alone():
    first = camera_poses(5, seed=1, object_id="a")
    np.testing.assert_array_equal(first, camera_poses(5, seed=1, object_id="a"))
    assert not np.allclose(first, camera_poses(5, seed=2, object_id="a"))
    assert not np.allclose(first, camera_poses(5, seed=1, object_id="b"))


def test_the_random_numbers_of_an_object_stay_what_they_are():
    assert generator_for(0, "car").integers(1000, size=4).tolist() == [350, 92, 950, 107]


def test_a_camera_straight_above_has_a_pose():
    from manyfields.views.viewpoints import _looking_at

    pose = _looking_at(np.zeros(3), np.array([[0.0, 0.0, 2.7]]))[0]
    assert np.isfinite(pose).all()
    np.testing.assert_allclose(np.linalg.det(pose[:3, :3]), 1)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="'dome' is not known; use one of hemisphere, sphere, front, plane"):
        camera_poses(4, "dome")
    with pytest.raises(ConfigError, match="views is 0"):
        camera_poses(0)
