"""Octrees of objects: from their depth images, else from their visual hull, later from what was fitted.

                 depth images ──► points_of_depths ─┐
                                                    ├─► octree_of_points: voxels around them, all levels at once
    fitted field ──► points_of_field ───────────────┘
    silhouettes  ──► octree_of_hull: all voxels of the hull, at coarse levels only: a start

Octrees have all levels of their config; those that are not built yet are empty.
"""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.morton import encode
from manyfields.families.octree.surface_points import points_of_depths
from manyfields.families.octree.tree import Levels, Octree, lattice_places
from manyfields.fitting.data import FittingObject, load_views
from manyfields.fitting.visual_hull import visual_hull

REACH = 0.5
FINER = 2  # levels by which points are kept finer than the finest voxels: they are as good as all points then
START_LEVELS = 2  # that an octree has at first where there is no depth
HULL_SIDE = 128  # cells of a hull that is made for an octree: thin parts lie between the middles of coarse ones
POINTS_AT_ONCE = 1 << 18


def octree_of(
    item: FittingObject, config: OctreeConfig, *, reach: float = REACH, start_levels: int = START_LEVELS
) -> Octree:
    """The octree of an object: of the depth images of its training views, where it has them, else of its visual hull.

    With depth it has all levels of `config` (`reach`: see `octree_of_points`). Without, its first `start_levels`
    levels are solid and the others empty: `points_of_field` and `octree_of_points` refine it when something is learned.

    Raises ViewError where a depth image or, without depth, an image cannot be read.
    """
    points = points_of_depths(item.source, item.train, config.last + FINER)
    if points is not None and len(points):
        return octree_of_points(points, config, reach=reach)
    upto = min(config.first + start_levels - 1, config.last)
    if item.hull is not None:
        return octree_of_hull(item.hull, item.bounds, config, upto=upto)
    cube = torch.tensor([[-1.0] * 3, [1.0] * 3])
    size = (item.cameras.width, item.cameras.height)
    rgba, cameras = load_views(item.source, item.train, size)
    hull = visual_hull(rgba[..., 3], cameras, cube, max(HULL_SIDE, 2 ** (upto + 1)))
    return octree_of_hull(hull, cube, config, upto=upto)


def octree_of_points(
    points: Float[Tensor, "P 3"], config: Levels, *, upto: int | None = None, reach: float = REACH
) -> Octree:
    """Voxels at levels `config.first` .. `upto` (the last by default) around points of a surface; finer ones are empty.

    Whatever is at most `reach` voxels of level `upto` away from a point, along each axis, lies in a voxel of every
    level: a surface just inside a voxel's face has support on both sides. Half a voxel makes the shell of voxels about
    two thick; 0 takes the voxels that hold a point only.

    Raises ValueError where there is no point in the cube [-1, 1]^3, or `upto` is no level of `config`.
    """
    upto = _checked(config, config.last if upto is None else upto)
    steps = torch.linspace(-reach, reach, math.ceil(2 * reach) + 1) if reach else torch.zeros(1)
    around = torch.cartesian_prod(steps, steps, steps).to(points) * (2.0 / 2**upto)
    codes: list[Tensor] = []
    points = points[(points.abs() <= 1.0).all(-1)]
    for part in points.split(max(1, POINTS_AT_ONCE // len(around))):
        codes.append(_codes((part.unsqueeze(1) + around).reshape(-1, 3).clamp(-1.0, 1.0), upto).unique())
        if len(codes) > 16:
            codes = [torch.cat(codes).unique()]
    return _octree(torch.cat(codes).unique() if codes else points.new_zeros(0).long(), config, upto)


def octree_of_hull(hull: UInt8[Tensor, "G G G"], bounds: Float[Tensor, "2 3"], config: Levels, *, upto: int) -> Octree:
    """All voxels at levels `config.first` .. `upto` that overlap a filled cell of a hull; finer levels are empty.

    The hull is a grid [x, y, z] over the box `bounds`. Raises ValueError where it is empty.
    """
    upto = _checked(config, upto)
    size = (bounds[1] - bounds[0]) / hull.shape[-1]
    voxel = 2.0 / 2**upto
    axes = []
    for length in size.tolist():
        count = math.ceil(length / voxel) + 1  # places that touch every voxel a cell overlaps
        axes.append(torch.linspace(0.0, 1.0, count).clamp(1e-3, 1 - 1e-3))  # faces belong to the cell beyond them
    inside = torch.cartesian_prod(*axes)
    codes: list[Tensor] = []
    for cells in hull.cpu().nonzero().split(POINTS_AT_ONCE // 8):
        places = bounds[0].cpu() + (cells.unsqueeze(1) + inside) * size.cpu()
        codes.append(_codes(places.reshape(-1, 3).clamp(-1.0, 1.0), upto).unique())
    return _octree(torch.cat(codes).unique() if codes else torch.zeros(0, dtype=torch.long), config, upto)


def _checked(config: Levels, upto: int) -> int:
    if upto not in config.levels:
        raise ValueError(f"level {upto}: octrees of this config have levels {config.first} to {config.last}")
    return upto


def _codes(points: Tensor, level: int) -> Tensor:
    return encode(lattice_places(points, level).long().clamp_(max=2**level - 1))


def _octree(codes: Tensor, config: Levels, upto: int) -> Octree:
    empty = codes.new_empty(0)
    voxels = [codes if level == upto else empty for level in config.levels]
    return Octree.of_voxels(voxels, config.first)
