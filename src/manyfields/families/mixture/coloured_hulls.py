"""Where objects are and what colours they show, on one coarse grid: what two of them have in common before any fit.

hull of each object, in its box ──► cells of one grid over the cube that it fills
pixels ──► first filled cell of the hull along their rays ──► mean colour of a cell
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from manyfields.fitting.data import FittingData, stable_seed
from manyfields.rendering.guided import guided_samples

PIXELS = 8192  # of an object
SOLID = 200.0  # density of the hull when looking for its surface
BINS = 64


@torch.no_grad()
def coloured_hulls(data: FittingData, hulls: Tensor, seed: int, side: int = 24) -> Float[Tensor, "N P"]:
    """Of N objects: what fills each of `side`^3 cells, and RGB less grey where a surface is seen; a little blurred.

    Both parts vary as much over the objects, so that neither hides the other. `hulls` (N, G, G, G): uint8, over the
    objects' boxes.
    """
    found = torch.cat([_of_object(data, row, hulls[row], seed, side) for row in range(len(data))])
    smooth = functional.avg_pool3d(found, 3, 1, 1).flatten(2)
    spread = (smooth - smooth.mean(0)).square().sum(2).mean(0)
    weights = torch.stack([spread[0], *[spread[1:].sum()] * 3]).clamp(min=1e-12).rsqrt()
    return (smooth * weights.view(1, 4, 1)).flatten(1)


def _of_object(data: FittingData, row: int, hull: Tensor, seed: int, side: int) -> Float[Tensor, "1 4 S S S"]:
    low, high = data.bounds[row]
    middles = (torch.arange(side, device=data.device) + 0.5) / side * 2.0 - 1.0
    points = torch.stack(torch.meshgrid(middles, middles, middles, indexing="ij"), -1)
    places = (points - low) / (high - low) * 2.0 - 1.0
    filled = functional.grid_sample(hull[None, None].float(), places.flip(-1)[None], align_corners=False)[0]
    generator = torch.Generator().manual_seed(stable_seed(seed, "coloured hull", data.objects[row].id))
    rays, colors, _ = data.pool.draw(torch.tensor([row], device=data.device), PIXELS, generator)
    offsets = torch.full((1, PIXELS, 1), 0.5, device=data.device)
    guide = SOLID * hull[None].float()
    bounds = data.bounds[row : row + 1]
    distances, _, hits = guided_samples(rays.origins, rays.directions, bounds, guide, offsets, bins=BINS, spread=0.0)
    surface = (rays.origins + distances * rays.directions)[0, hits[0]]
    cells = ((surface + 1.0) * (0.5 * side)).long().clamp(0, side - 1)
    numbers = (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2]
    sums = torch.zeros(side**3, 4, device=data.device)
    seen = torch.cat([colors[0, hits[0]] - 0.5, torch.ones(len(numbers), 1, device=data.device)], 1)
    sums.index_add_(0, numbers, seen)
    shown = (sums[:, :3] / sums[:, 3:].clamp(min=1.0)).T.reshape(1, 3, side, side, side)
    return torch.cat([filled[None], shown], 1)
