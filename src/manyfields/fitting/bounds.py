"""The box of an object from the silhouettes of its views, so that rays are sampled only where something can be."""

import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.cameras import Cameras

MARGIN = 0.1


@torch.no_grad()
def box_from_silhouettes(
    alpha: UInt8[Tensor, "V H W"], cameras: Cameras, margin: float = MARGIN, side: int = 32
) -> Float[Tensor, "2 3"]:
    """Lowest and highest corner of the visual hull, widened by `margin` and kept within [-1, 1]^3.

    A grid point belongs to the hull unless some view sees past it. Views without transparency give the whole cube. The
    margin makes room for latent pixels, which see several image pixels beyond the silhouette.
    """
    cube = torch.tensor([[-1.0] * 3, [1.0] * 3])
    if bool((alpha > 0).all()):
        return cube
    picked = torch.linspace(0, len(cameras) - 1, min(48, len(cameras))).round().long()
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    inside = torch.ones(len(points), dtype=torch.bool)
    for view in picked.tolist():
        # The silhouette grows by what half a grid cell can span in pixels: thin parts between grid points are kept.
        distance = max(0.5, float(cameras.camera_to_world[view, :3, 3].norm()) - 0.5)
        reach = float(cameras.focal[view].max()) / side / distance
        grow = 2 * max(1, round(reach)) + 1
        mask = functional.max_pool2d((alpha[view] > 0).float()[None], grow, 1, grow // 2)[0]
        pixels, depth = cameras[view].project(points)
        column, row = pixels[:, 0].floor().long(), pixels[:, 1].floor().long()
        visible = (depth > 0) & (column >= 0) & (column < cameras.width) & (row >= 0) & (row < cameras.height)
        covered = mask[row.clamp(0, cameras.height - 1), column.clamp(0, cameras.width - 1)] > 0
        inside &= covered | ~visible
    if not bool(inside.any()):
        return cube
    half = 1.0 / side
    low, high = points[inside].amin(0) - half - margin, points[inside].amax(0) + half + margin
    return torch.stack([low, high]).clamp(-1.0, 1.0)
