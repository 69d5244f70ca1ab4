"""Rays through a projective map: straight lines stay straight, and what is far comes near.

Forward-facing scenes reach to infinity. Normalised device coordinates (NeRF, Mildenhall et al. 2020, appendix C) bring
what lies behind a near plane into the cube [-1, 1]^3, evenly in disparity; boxes, guides and grids are then those of
any other scene.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras, Rays

LEAST = 1e-6


def warped(rays: Rays, maps: Float[Tensor, "B 4 4"]) -> Rays:
    """Rays (B, R, 3) as the maps of their objects show them, from the near plane (z = -1) on; directions of length 1.

    A ray that runs away from the near plane is none of a forward-facing scene: it leads out of the cube at once.
    """
    origins, directions = (_with(rays.origins, 1.0) @ maps.mT, _with(rays.directions, 0.0) @ maps.mT)
    # Where z = -w: homogeneous coordinates change linearly along a ray.
    closing = directions[..., 2] + directions[..., 3]
    forward = (closing > LEAST) & (directions[..., 3] > LEAST)
    distance = -(origins[..., 2] + origins[..., 3]) / torch.where(forward, closing, torch.ones_like(closing))
    near = _divided(origins + distance.unsqueeze(-1) * directions)
    far = _divided(directions)
    away = torch.tensor([0.0, 0.0, -1.0], device=near.device, dtype=near.dtype)
    along = torch.nn.functional.normalize(far - near, dim=-1)
    seen = forward.unsqueeze(-1)
    return Rays(torch.where(seen, near, 2 * away), torch.where(seen, along, away))


def mapped(points: Float[Tensor, "N 3"], matrix: Float[Tensor, "4 4"]) -> Float[Tensor, "N 3"]:
    """Points in front of the cameras, as the map shows them."""
    return _divided(_with(points, 1.0) @ matrix.mT)


def forward_facing_map(cameras: Cameras) -> Float[Tensor, "4 4"]:
    """The map that brings what cameras (V,) see, from where the unit sphere begins to infinity, into [-1, 1]^3.

    The near plane faces the mean camera, at its distance from the unit sphere, but at least a tenth of that from the
    sphere's centre. x and y are scaled so that the cube holds all views, on the near plane as at infinity.
    """
    poses = cameras.camera_to_world.double()
    middle = poses[:, :3, 3].mean(0)
    backward = torch.nn.functional.normalize(poses[:, :3, 2].mean(0), dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(poses[:, :3, 1].mean(0), backward), dim=0)
    axes = torch.stack([right, torch.linalg.cross(backward, right), backward])
    depth = float(backward @ middle)  # of the sphere's centre before the mean camera
    near = max(depth - 1.0, 0.1 * depth, 0.01)
    local = torch.eye(4, dtype=torch.float64)
    local[:3, :3], local[:3, 3] = axes, -axes @ middle
    # w = -Z, z w = -Z - 2 near: -1 on the near plane, 1 at infinity.
    matrix = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, -2 * near], [0, 0, -1, 0]]).double() @ local

    corners = torch.tensor([[0.0, 0], [cameras.width, 0], [0, cameras.height], [cameras.width, cameras.height]])
    rays = cameras.rays_through(corners.expand(len(cameras), -1, -1).to(cameras.focal))
    seen = Rays(rays.origins.double(), rays.directions.double())
    start = warped(seen, matrix.expand(len(cameras), 4, 4))
    far = _divided(_with(seen.directions, 0.0) @ matrix.mT)
    reach = torch.cat([start.origins, far]).abs().amax((0, 1))[:2]
    matrix[:2] /= reach.unsqueeze(-1)
    return matrix.float()


def _with(vectors: Tensor, last: float) -> Tensor:
    return torch.cat([vectors, torch.full_like(vectors[..., :1], last)], -1)


def _divided(points: Tensor) -> Tensor:
    return points[..., :3] / points[..., 3:].clamp(min=LEAST)
