"""Points of an object's surface: where its depth images see it or, without those, where a fitted field stops rays.

Few points are at hand at a time, and one point in each cell of a grid is kept: of a hundred views of 400 x 400 pixels,
what is kept takes some MB.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.families.octree.morton import encode
from manyfields.families.octree.tree import lattice_places
from manyfields.fields import Field
from manyfields.fields.compositing import compositing_weights
from manyfields.rendering import Sampler
from manyfields.rendering.guided import guided_samples
from manyfields.rendering.render import SPREAD, SPREAD_AT_REST
from manyfields.rendering.sampling import draw_offsets
from manyfields.views import ObjectViews

VIEWS_AT_ONCE = 4
RAYS_AT_ONCE = 8192
MERGE_AT = 1 << 20  # points that wait at most to be thinned


class SurfacePoints:
    """Points of the cube [-1, 1]^3, of which one stays in each cell of `level`: the first that came."""

    def __init__(self, level: int) -> None:
        self.level = level
        self._kept: list[Tensor] = []
        self._waiting = 0

    def add(self, points: Float[Tensor, "P 3"]) -> None:
        """Those outside the cube, or not finite, are passed over."""
        points = points[(points.abs() <= 1.0).all(-1)]
        self._kept.append(points)
        self._waiting += len(points)
        if self._waiting > max(MERGE_AT, len(self._kept[0])):
            self.points()

    def points(self) -> Float[Tensor, "P 3"]:
        """The points, in the order of the Morton codes of their cells."""
        if self._waiting:
            self._kept, self._waiting = [one_a_cell(torch.cat(self._kept), self.level)], 0
        return self._kept[0] if self._kept else torch.zeros(0, 3)


def one_a_cell(points: Float[Tensor, "P 3"], level: int) -> Float[Tensor, "K 3"]:
    """The first of the points in each cell of [-1, 1]^3 at `level`, in the order of the cells' Morton codes."""
    cells = lattice_places(points, level).long().clamp_(max=2**level - 1)
    codes, order = torch.sort(encode(cells), stable=True)
    first = torch.ones_like(codes, dtype=torch.bool)
    first[1:] = codes[1:] != codes[:-1]
    return points[order[first]]


def points_of_depths(views: ObjectViews, indices: Sequence[int], level: int) -> Float[Tensor, "P 3"] | None:
    """Where the depth images of some views meet the surface, one point in each cell of `level`.

    None where those views have no depth image. Pixels beyond the cube [-1, 1]^3 (a background) are passed over. Raises
    ViewError where a depth image cannot be read.
    """
    found = SurfacePoints(level)
    any_depth = False
    for start in range(0, len(indices), VIEWS_AT_ONCE):
        part = list(indices[start : start + VIEWS_AT_ONCE])
        depths = views.depths(part)
        if depths is None:
            continue
        any_depth = True
        flat = torch.from_numpy(depths).flatten(1)
        rays = views.cameras[part].rays()
        found.add((rays.origins + flat.unsqueeze(-1) * rays.directions)[flat > 0])
    return found.points() if any_depth else None


@torch.no_grad()
def points_of_field(
    field: Field,
    cameras: Cameras,
    sampler: Sampler,
    *,
    guide: Float[Tensor, "1 G G G"],
    bounds: Float[Tensor, "1 2 3"],
    level: int,
    threshold: float = 0.05,
    rays: int | None = None,
    pixels: Int[Tensor, " P"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "K 3"]:
    """Samples along rays of the views' pixels whose share in the ray's colour is above `threshold`, one in each cell.

    field: of one object. cameras: (V,). Rays and samples are those of `render` with the same guide and bounds; rays
    that meet nothing cost little. `pixels` are the numbers (view * H * W + row * W + column) that may be asked, all by
    default; at most `rays` of them are drawn by `generator` (evenly spaced without one). The same generator and
    arguments give the same points.
    """
    asked = _chosen(cameras, rays, pixels, generator)
    spread = SPREAD if generator is not None else SPREAD_AT_REST
    found = SurfacePoints(level)
    for numbers in asked.split(RAYS_AT_ONCE):
        seen = cameras.rays_of(*_places(cameras, numbers.to(cameras.device)))
        origins, directions = seen.origins[None], seen.directions[None]
        offsets = draw_offsets(origins.new_empty(1, len(numbers), sampler.guided), generator)
        distances, lengths, hits = guided_samples(
            origins, directions, bounds, guide, offsets, bins=sampler.bins, spread=spread
        )
        hit = hits[0]
        if not bool(hit.any()):
            continue
        along = directions[0, hit].unsqueeze(1).expand(-1, sampler.guided, -1)
        points = origins[0, hit].unsqueeze(1) + distances[0, hit].unsqueeze(-1) * along
        density = field(points.reshape(1, -1, 3), along.reshape(1, -1, 3)).density.view(points.shape[:-1])
        weights = compositing_weights(density[None], lengths[:, hit])[0]
        found.add(points[weights > threshold].cpu())
    return found.points()


def _chosen(
    cameras: Cameras, rays: int | None, pixels: Tensor | None, generator: torch.Generator | None
) -> Int[Tensor, " R"]:
    count = len(cameras) * cameras.height * cameras.width if pixels is None else len(pixels)
    if rays is None or rays >= count:
        places = torch.arange(count)
    elif generator is None:
        places = torch.arange(rays) * count // rays
    else:
        places = torch.randint(count, (rays,), generator=generator)
    return places if pixels is None else pixels.cpu().long()[places]


def _places(cameras: Cameras, numbers: Int[Tensor, " R"]) -> tuple[Int[Tensor, " R"], Float[Tensor, "R 2"]]:
    """Views and middles of numbered pixels."""
    area = cameras.height * cameras.width
    within = numbers % area
    middles = torch.stack([within % cameras.width, within // cameras.width], -1) + 0.5
    return numbers // area, middles
