import torch

from manyfields.cameras import Cameras, Rays, look_at
from manyfields.rendering.warping import forward_facing_map, mapped, warped


def plane_of_cameras(side: int = 3, spread: float = 0.5, distance: float = 2.7) -> Cameras:
    """Cameras on a plane, all of which look along +y, a little towards the middle."""
    places = torch.linspace(-spread, spread, side)
    x, z = torch.meshgrid(places, places, indexing="ij")
    positions = torch.stack([x.flatten(), torch.full((side * side,), -distance), z.flatten()], -1)
    poses = look_at(positions, 0.5 * positions * torch.tensor([1.0, 0, 1]))
    count = side * side
    return Cameras(poses, torch.full((count, 2), 40.0), torch.full((count, 2), 16.0), 32, 32)


def test_points_on_a_ray_stay_on_it_in_their_order():
    cameras = plane_of_cameras()
    matrix = forward_facing_map(cameras)
    rays = cameras[4].rays()
    seen = warped(Rays(rays.origins[None], rays.directions[None]), matrix[None])
    torch.testing.assert_close(seen.directions.norm(dim=-1), torch.ones(1, 1024))
    before = torch.full((1024,), -1e-3)
    for distance in (2.0, 3.0, 10.0, 1000.0):
        points = mapped(rays.origins + distance * rays.directions, matrix)
        along = ((points - seen.origins[0]) * seen.directions[0]).sum(-1)
        torch.testing.assert_close(seen.origins[0] + along[:, None] * seen.directions[0], points, atol=1e-4, rtol=0)
        assert bool((along > before).all())
        before = along


def test_the_cube_holds_all_that_is_seen_and_no_more():
    cameras = plane_of_cameras()
    matrix = forward_facing_map(cameras)
    reach = torch.zeros(2)
    for camera in range(len(cameras)):
        rays = cameras[camera].rays()
        for distance in (2.2, 4.0, 1e5):
            points = mapped(rays.origins + distance * rays.directions, matrix)
            assert float(points.abs().max()) <= 1.0 + 1e-4
            reach = torch.maximum(reach, points[:, :2].abs().amax(0))
    assert float(reach.min()) > 0.9
    front, behind = mapped(torch.tensor([[0.0, -1.0, 0.0], [0.0, 1e6, 0.0]]), matrix)
    # The near plane touches the unit sphere; infinity is the far face.
    torch.testing.assert_close(torch.stack([front[2], behind[2]]), torch.tensor([-1.0, 1.0]), atol=1e-3, rtol=0)


def test_rays_that_turn_back_meet_nothing():
    matrix = forward_facing_map(plane_of_cameras())
    back = Rays(torch.zeros(1, 1, 3), torch.tensor([[[0.0, -1.0, 0.0]]]))
    seen = warped(back, matrix[None])
    assert float(seen.origins[0, 0, 2]) < -1 and float(seen.directions[0, 0, 2]) < 0
