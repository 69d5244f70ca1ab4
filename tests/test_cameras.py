import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.cameras import (
    Cameras,
    from_colmap,
    from_opencv,
    look_at,
    orbit,
    stack,
    to_colmap,
    to_opencv,
)

seeds = st.integers(0, 10_000)
few = settings(max_examples=25, deadline=None)


def random_rotations(count: int, rng: np.random.Generator) -> torch.Tensor:
    q, r = np.linalg.qr(rng.normal(size=(count, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return torch.from_numpy(q)


def random_cameras(seed: int, count: int = 3) -> Cameras:
    rng = np.random.default_rng(seed)
    pose = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
    pose[:, :3, :3] = random_rotations(count, rng)
    pose[:, :3, 3] = torch.from_numpy(rng.normal(size=(count, 3)))
    width, height = (int(n) for n in rng.integers(3, 12, 2))
    focal = torch.from_numpy(rng.uniform(4, 20, (count, 2))).float()
    center = torch.tensor([width / 2, height / 2]) + torch.from_numpy(rng.uniform(-1, 1, (count, 2))).float()
    return Cameras(pose.float(), focal, center, width, height)


@few
@given(seeds, st.floats(0.5, 5))
def test_a_point_on_a_pixels_ray_projects_to_that_pixels_centre(seed, distance):
    cameras = random_cameras(seed)
    rays = cameras.rays()
    pixels, depth = cameras.project(rays.origins + distance * rays.directions)
    y, x = np.mgrid[: cameras.height, : cameras.width] + 0.5
    expected = torch.from_numpy(np.stack([x.ravel(), y.ravel()], -1)).float().expand_as(pixels)
    torch.testing.assert_close(pixels, expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(pixels.shape[:-1]))
    assert (depth > 0).all()


def test_the_axes_are_opengls():
    camera = Cameras(torch.eye(4), torch.tensor([10.0, 10.0]), torch.tensor([4.0, 3.0]), 8, 6)
    pixels, depth = camera.project(
        torch.tensor([[0.0, 0.0, -2.0], [0.2, 0.0, -2.0], [0.0, 0.2, -2.0], [0.0, 0.0, 2.0]])
    )
    assert pixels[0].tolist() == [4.0, 3.0]
    assert pixels[1, 0] > 4 and pixels[2, 1] < 3  # x is to the right, y upwards, where rows are fewer
    assert depth.tolist() == [2, 2, 2, -2]


@few
@given(seeds)
def test_opencv_and_colmap_conversions_round_trip(seed):
    pose = random_cameras(seed).camera_to_world.double()
    torch.testing.assert_close(to_opencv(from_opencv(pose)), pose)
    quaternion, translation = to_colmap(pose)
    assert (quaternion[:, 0] >= 0).all()
    torch.testing.assert_close(from_colmap(quaternion, translation), pose, atol=1e-6, rtol=0)


def test_half_turns_have_a_quaternion_too():
    for axis in range(3):
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3] = -pose[:3, :3]
        pose[axis, axis] = 1
        torch.testing.assert_close(from_colmap(*to_colmap(pose)), pose)


def test_opencv_points_project_as_opencv_projects_them():
    cv2 = pytest.importorskip("cv2")
    cameras = random_cameras(5, 1)
    opencv = to_opencv(cameras.camera_to_world[0]).double()
    local = torch.tensor([[0.1, -0.2, 2.0], [0.4, 0.3, 3.0]], dtype=torch.float64)
    world = local @ opencv[:3, :3].T + opencv[:3, 3]
    matrix = np.diag([*cameras.focal[0].tolist(), 1.0])
    matrix[:2, 2] = cameras.center[0].numpy()
    rotation = opencv[:3, :3].T.numpy()
    expected, _ = cv2.projectPoints(
        world.numpy(), cv2.Rodrigues(rotation)[0], -rotation @ opencv[:3, 3].numpy(), matrix, None
    )
    pixels, depth = cameras[0].project(world.float())
    np.testing.assert_allclose(pixels.numpy(), expected[:, 0], atol=1e-3)
    np.testing.assert_allclose(depth.numpy(), [2, 3], atol=1e-5)


def test_colmap_poses_agree_with_pycolmap():
    pycolmap = pytest.importorskip("pycolmap")
    rng = np.random.default_rng(1)
    quaternion = rng.normal(size=4)
    quaternion /= np.linalg.norm(quaternion)
    translation = rng.normal(size=3)
    rigid = pycolmap.Rigid3d(pycolmap.Rotation3d(quaternion[[1, 2, 3, 0]]), translation)
    ours = from_colmap(torch.from_numpy(quaternion), torch.from_numpy(translation))
    np.testing.assert_allclose(to_opencv(ours)[:3].numpy(), rigid.inverse().matrix(), atol=1e-9)


@few
@given(seeds, st.floats(0.2, 4))
def test_a_similarity_moves_cameras_and_points_together(seed, scale):
    rng = np.random.default_rng(seed)
    cameras = random_cameras(seed)
    points = torch.from_numpy(rng.normal(size=(3, 20, 3)))
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = scale * random_rotations(1, rng)[0]
    matrix[:3, 3] = torch.from_numpy(rng.normal(size=3))
    before, depth = cameras.project(points.float())
    moved = cameras.transformed(matrix)
    after, scaled = moved.project((points @ matrix[:3, :3].T + matrix[:3, 3]).float())
    clear = depth > 0.2
    torch.testing.assert_close(after[clear], before[clear], atol=1e-2, rtol=1e-4)
    torch.testing.assert_close(scaled, depth * scale, atol=1e-4, rtol=1e-4)
    rotation = moved.camera_to_world[:, :3, :3]
    torch.testing.assert_close(rotation.transpose(1, 2) @ rotation, torch.eye(3).expand(3, 3, 3), atol=1e-5, rtol=0)


@few
@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_resized_cameras_see_the_same_field(seed, width, height):
    cameras = random_cameras(seed)
    small = cameras.resized(width, height)
    points = cameras.rays_through(torch.tensor([[0.0, 0.0], [cameras.width, cameras.height]]).expand(3, 2, 2))
    pixels, _ = small.project(points.origins + points.directions)
    expected = torch.tensor([[0.0, 0.0], [width, height]]).expand(3, 2, 2)
    torch.testing.assert_close(pixels, expected, atol=5e-3, rtol=1e-3)


def test_cropped_cameras_see_a_window():
    cameras = orbit(2, width=8, height=6)
    window = cameras.cropped(2, 1, 4, 3).rays().directions.reshape(2, 3, 4, 3)
    torch.testing.assert_close(window, cameras.rays().directions.reshape(2, 6, 8, 3)[:, 1:4, 2:6])


def test_orbit_cameras_look_at_the_centre_with_z_up():
    cameras = orbit(8, radius=2.7, elevation=30.0, width=10, height=6)
    pixels, depth = cameras.project(torch.tensor([[0.0, 0, 0], [0, 0, 0.3]]).expand(8, 2, 3))
    torch.testing.assert_close(pixels[:, 0], torch.tensor([5.0, 3.0]).expand(8, 2))
    torch.testing.assert_close(depth[:, 0], torch.full((8,), 2.7))
    assert (pixels[:, 1, 1] < 3).all()
    torch.testing.assert_close(cameras.camera_to_world[:, 2, 3], torch.full((8,), 1.35))
    angle = 2 * math.atan(5 / cameras.focal[0, 0].item())
    assert angle == pytest.approx(0.6911112)


def test_look_at_along_the_up_axis_is_still_a_rotation():
    pose = look_at(torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [1.0, 0.0, 0.0]]))
    torch.testing.assert_close(torch.linalg.det(pose[:, :3, :3]), torch.ones(3))
    torch.testing.assert_close(pose[0, :3, 2], torch.tensor([0.0, 0.0, 1.0]))


def test_indexing_and_stacking_undo_each_other():
    cameras = orbit(5)
    assert len(cameras) == 5 and cameras.shape == (5,)
    assert cameras[1].shape == () and cameras[1:3].shape == (2,) and cameras[[0, 4]].shape == (2,)
    torch.testing.assert_close(cameras[torch.tensor([3])].camera_to_world[0], cameras[3].camera_to_world)
    torch.testing.assert_close(stack([cameras[i] for i in range(5)]).camera_to_world, cameras.camera_to_world)
    with pytest.raises(ValueError, match="one image size"):
        stack([cameras[0], cameras[0].resized(4, 4)])
    with pytest.raises(TypeError, match="no length"):
        len(cameras[0])


@few
@given(seeds, st.lists(st.integers(0, 2), min_size=1, max_size=9))
def test_rays_of_are_those_of_each_views_own_camera(seed, views):
    cameras = random_cameras(seed)
    pixels = torch.from_numpy(np.random.default_rng(seed).uniform(-2, 12, (len(views), 2))).float()
    rays = cameras.rays_of(torch.tensor(views), pixels)
    assert rays.origins.shape == rays.directions.shape == (len(views), 3)
    for ray, view in enumerate(views):
        expected = cameras[view].rays_through(pixels[ray : ray + 1])
        torch.testing.assert_close(rays.origins[ray], expected.origins[0])
        torch.testing.assert_close(rays.directions[ray], expected.directions[0])


def test_autocast_rounds_neither_rays_nor_pixels():
    cameras = random_cameras(3)
    points = torch.from_numpy(np.random.default_rng(4).normal(size=(3, 20, 3))).float()
    views, pixels = torch.tensor([0, 2, 1, 2]), torch.rand(4, 2, generator=torch.Generator().manual_seed(3)) * 5

    def everything():
        rays, own = cameras.rays(), cameras.rays_of(views, pixels)
        return rays.origins, rays.directions, own.origins, own.directions, *cameras.project(points)

    exact = everything()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = everything()
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16  # products are what it rounds
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32 and torch.equal(one, other)
