"""Voxels as a grey solid in the light.

occupancy of a grid's cells ──► where rays first meet what is solid ──► how that place turns to the light
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras

SOLID = 0.5
"""Occupancy from which a voxel is solid."""
STEPS = 192  # of a ray through the cube
AMBIENT, COLOUR = 0.35, (0.80, 0.80, 0.83)
LIGHT = (-0.4, 0.5, 0.8)  # from above, left of the camera and behind it: right, backwards and up


def solid_views(occupancy: Float[Tensor, "G G G"], cameras: Cameras) -> Float[Tensor, "V H W 3"]:
    """What is solid of [-1, 1]^3 ([x, y, z], cell by cell), grey on white, through V cameras."""
    rays = cameras.rays()
    origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)
    # Nothing is farther from the middle than a corner of the cube.
    middle = -(origins * directions).sum(1, keepdim=True)
    along = middle + torch.linspace(-1.0, 1.0, STEPS) * 3.0**0.5
    solid = _at(occupancy, origins.unsqueeze(1) + along.unsqueeze(2) * directions.unsqueeze(1)) > SOLID
    first = solid.to(torch.uint8).argmax(1, keepdim=True)
    place = origins + along.gather(1, first) * directions
    # One cell of blur: the grid is coarse, and its own slopes are stairs.
    smooth = functional.avg_pool3d(occupancy[None, None], 3, 1, 1)[0, 0]
    cell = 2.0 / len(occupancy)
    slopes = [_at(smooth, place + step) - _at(smooth, place - step) for step in cell * torch.eye(3)]
    normals = functional.normalize(-torch.stack(slopes, 1), dim=1)
    turn = cameras.camera_to_world[:, :3, :3]
    right, forward = turn[:, :, 0], -turn[:, :, 2]
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(right)
    light = functional.normalize(LIGHT[0] * right - LIGHT[1] * forward + LIGHT[2] * up, dim=1)
    lit = (normals.view(len(light), -1, 3) * light.unsqueeze(1)).sum(2).clamp(min=0.0)
    shaded = (AMBIENT + (1.0 - AMBIENT) * lit).unsqueeze(2) * torch.tensor(COLOUR)
    seen = torch.where(solid.any(1).view(len(light), -1, 1), shaded, torch.ones(()))
    return seen.view(len(light), cameras.height, cameras.width, 3)


def _at(grid: Float[Tensor, "G G G"], points: Float[Tensor, "*any 3"]) -> Float[Tensor, "*any"]:
    """Values at points, between the centres of cells by weights; nothing is beyond the cube."""
    places = points.reshape(1, -1, 1, 1, 3).flip(-1)
    found = functional.grid_sample(grid[None, None], places, align_corners=False)
    return found.view(points.shape[:-1])
