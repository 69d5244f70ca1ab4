"""The visual hull of an object: cells of its box that no view sees past, and the pixels that may see it."""

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.compiled import compiled_for

GROWN = 5  # silhouettes grow by 2 pixels: a cell is judged by its centre, and edges are partly transparent
SEEN = 5  # alpha, of 255, from which a pixel belongs to a silhouette
VIEWS_AT_ONCE = 8


@torch.no_grad()
def visual_hull(
    alpha: UInt8[Tensor, "V H W"], cameras: Cameras, bounds: Float[Tensor, "2 3"], side: int
) -> UInt8[Tensor, "G G G"]:
    """1 in the cells [x, y, z] of the box whose centres lie within every silhouette that sees them.

    All ones where views have no transparency, or where silhouettes contradict each other.
    """
    hull = torch.ones(side**3, dtype=torch.uint8)
    if not bool((alpha < SEEN).any()):
        return hull.view(side, side, side)
    carved = _carved(_silhouettes(alpha), cameras, bounds, side)
    return carved if bool(carved.any()) else hull.view(side, side, side)


def _carved(masks: Bool[Tensor, "V H W"], cameras: Cameras, bounds: Tensor, side: int) -> UInt8[Tensor, "G G G"]:
    hull = torch.ones(side, side, side, dtype=torch.uint8)
    if compiled_for(masks, dtype=torch.bool):
        from manyfields.fitting.image_kernels import carve

        pose = torch.linalg.inv(cameras.camera_to_world.double())[:, :3].contiguous()
        inputs = (pose, cameras.focal.double(), cameras.center.double(), bounds[0].double())
        size = (bounds[1] - bounds[0]).double() / side
        given = [tensor.contiguous().numpy() for tensor in (*inputs, size)]
        carve(masks.numpy(), *given, hull.numpy())  # type: ignore[call-arg]  # numba's stubs count wrongly
        return hull
    axis = (torch.arange(side) + 0.5) / side
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    points = bounds[0] + corners * (bounds[1] - bounds[0])
    left = torch.arange(len(points))
    for view in range(len(cameras)):
        pixels, depth = cameras[view].project(points)
        column, row = pixels[:, 0].floor().long(), pixels[:, 1].floor().long()
        visible = (depth > 0) & (column >= 0) & (column < cameras.width) & (row >= 0) & (row < cameras.height)
        covered = masks[view][row.clamp(0, cameras.height - 1), column.clamp(0, cameras.width - 1)]
        kept = covered | ~visible
        points, left = points[kept], left[kept]
    return hull.view(-1).zero_().index_fill_(0, left, 1).view(side, side, side)


@torch.no_grad()
def pixels_inside(alpha: UInt8[Tensor, "V H W"]) -> Int[Tensor, " P"] | None:
    """Numbers (view * H * W + row * W + column) of the pixels that may see the object; None where all may."""
    if not bool((alpha < SEEN).any()) or not bool((alpha >= SEEN).any()):
        return None
    return _silhouettes(alpha).flatten().nonzero().squeeze(1).to(torch.int32)


def _silhouettes(alpha: Tensor) -> Bool[Tensor, "V H W"]:
    if compiled_for(alpha, dtype=torch.uint8):
        from manyfields.fitting.image_kernels import grow

        found = torch.zeros_like(alpha)
        grow(alpha.contiguous().numpy(), SEEN, found.numpy())
        return found > 0
    masks = []
    for part in alpha.split(VIEWS_AT_ONCE):
        seen = (part >= SEEN).to(torch.float32).unsqueeze(1)
        masks.append(functional.max_pool2d(seen, GROWN, 1, GROWN // 2).squeeze(1) > 0)
    return torch.cat(masks)
