"""Meshes as voxels: what the outside cannot reach is inside.

    triangles ──► voxels that the surface passes ──► outside, by flood fill from the border ──► all the rest is solid

The surface's voxels are those in which a line through voxel centres, along an axis, meets a triangle. No path from
voxel to voxel through faces gets past them (Laine 2013, "A topological approach to voxelization"). The edges of
triangles add what is thinner than the lines are apart.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from manyfields.errors import MeshError
from manyfields.views.instances import Instance, InstanceSet, fit_ids
from manyfields.views.mesh_sources import MeshSource, find_meshes, load
from manyfields.views.surface_samples import Triangles
from manyfields.views.types import Problem

STEPS_OF_A_VOXEL = 4  # along edges of triangles
LINES_AT_ONCE = 1 << 22
SIDES = (4, 128)


def read_voxels(folder: Path | str, side: int = 32) -> InstanceSet:
    """The meshes of a folder as `side`^3 voxels of the cube [-1, 1]^3, [x, y, z].

    A folder of folders that have manifests is all of these together.
    Meshes that cannot be read are reported in `problems`, and so are those without an interior: open ones, whose
    inside is outside too. Raises MeshError where none is left, or for a side that is not from 4 to 128.
    """
    if not SIDES[0] <= side <= SIDES[1]:
        raise MeshError(f"voxels: {side} a side; from {SIDES[0]} to {SIDES[1]}")
    folder = Path(folder)
    kept, solids, problems = [], [], []
    for source in _sources(folder):
        try:
            solid, surface = solid_voxels(Triangles.of_mesh(load(source)), side)
        except MeshError as error:
            problems.append(Problem(source.id, None, "unreadable", str(error), True))
            continue
        if not (solid & ~surface).any():
            message = f"{source.path}: has no interior at {side}^3 voxels: close its holes, or take more voxels"
            problems.append(Problem(source.id, None, "empty", message, True))
            continue
        kept.append(source)
        solids.append(solid)
    if not kept:
        first = f": {problems[0].message}" if problems else ""
        raise MeshError(f"{folder}: holds no mesh with an interior{first}")
    ids, remarks = fit_ids([each.id for each in kept])
    instances = [
        Instance(name, 255 * solid.astype(np.uint8).reshape(side**3, 1), side, source.object_class, source.group)
        for name, solid, source in zip(ids, solids, kept, strict=True)
    ]
    return InstanceSet(instances, folder, problems + remarks)


def _sources(folder: Path) -> list[MeshSource]:
    inner = sorted(path.parent for path in folder.glob("*/manifest.json"))
    if not inner or (folder / "manifest.json").is_file():
        return find_meshes(folder)
    found = [source for each in inner for source in find_meshes(each)]
    times = Counter(source.id for source in found)
    return [
        source if times[source.id] == 1 else replace(source, id=f"{source.object_class}-{source.id}")
        for source in found
    ]


def solid_voxels(triangles: Triangles, side: int) -> tuple[Bool[np.ndarray, "S S S"], Bool[np.ndarray, "S S S"]]:
    """Which voxels of [-1, 1]^3 are solid, surface included, and which of them the surface passes; [x, y, z].

    Raises MeshError where a vertex lies outside of the cube.
    """
    if np.abs(triangles.vertices).max() > 1.0:
        raise MeshError("the mesh reaches out of the cube [-1, 1]^3")
    surface = _crossed(triangles.corners, side) | _along_edges(triangles.corners, side)
    return ~_outside(surface), surface


def _crossed(corners: Float64[np.ndarray, "F 3 3"], side: int) -> Bool[np.ndarray, "S S S"]:
    """Voxels in which a line through voxel centres along x, y or z meets a triangle."""
    found = np.zeros((side,) * 3, bool)
    cells = (corners + 1.0) * (side / 2)  # centres of voxels are at n + 0.5
    for axis in range(3):
        across = [(axis + 1) % 3, (axis + 2) % 3]
        flat = cells[:, :, across]
        low = np.ceil(flat.min(1) - 0.5).astype(np.int64).clip(0, side)
        high = np.floor(flat.max(1) - 0.5).astype(np.int64).clip(-1, side - 1)
        counts = (high - low + 1).clip(0).prod(1)
        starts = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum() + LINES_AT_ONCE, LINES_AT_ONCE))
        for first, last in zip(starts, [*starts[1:], len(counts)], strict=True):
            _mark(found, cells[first:last], flat[first:last], low[first:last], high[first:last], axis)
    return found


def _mark(found: np.ndarray, cells: np.ndarray, flat: np.ndarray, low: np.ndarray, high: np.ndarray, axis: int) -> None:
    """Set the voxels of some triangles: every line of their boxes [low, high] is looked at."""
    wide = (high - low + 1).clip(0)
    counts = wide.prod(1)
    face = np.repeat(np.arange(len(counts)), counts)
    if not len(face):
        return
    number = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = low[face] + np.stack([number // wide[face, 1], number % wide[face, 1]], -1)
    a, b, c = flat[:, 0], flat[:, 1], flat[:, 2]
    area = _cross(b - a, c - a)
    seen = np.abs(area) > 1e-12  # a triangle along the lines: those of the other axes meet it
    area = np.where(seen, area, 1.0)
    point = place + 0.5
    second = _cross(point - a[face], (c - a)[face]) / area[face]
    third = _cross((b - a)[face], point - a[face]) / area[face]
    inside = seen[face] & (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
    face, place, second, third = face[inside], place[inside], second[inside], third[inside]
    along = cells[face, :, axis]
    depth = along[:, 0] + second * (along[:, 1] - along[:, 0]) + third * (along[:, 2] - along[:, 0])
    index = np.empty((len(face), 3), np.int64)
    index[:, axis] = np.floor(depth).astype(np.int64).clip(0, found.shape[0] - 1)
    index[:, [(axis + 1) % 3, (axis + 2) % 3]] = place
    found[index[:, 0], index[:, 1], index[:, 2]] = True


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _along_edges(corners: Float64[np.ndarray, "F 3 3"], side: int) -> Bool[np.ndarray, "S S S"]:
    """Voxels that edges of triangles pass, at STEPS_OF_A_VOXEL places for each voxel."""
    cells = (corners + 1.0) * (side / 2)
    starts, ends = cells.reshape(-1, 3), np.roll(cells, -1, axis=1).reshape(-1, 3)
    counts = np.ceil(np.linalg.norm(ends - starts, axis=-1) * STEPS_OF_A_VOXEL).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = starts[edge] + (number / counts[edge])[:, None] * (ends - starts)[edge]
    found = np.zeros((side,) * 3, bool)
    x, y, z = places.astype(np.int64).clip(0, side - 1).T
    found[x, y, z] = True
    return found


def _outside(surface: Bool[np.ndarray, "S S S"]) -> Bool[np.ndarray, "S S S"]:
    """What a walk through faces of empty voxels reaches from beyond the grid."""
    from scipy import ndimage

    empty = np.pad(~surface, 1, constant_values=True)
    parts, _ = ndimage.label(empty)
    return (parts == parts[0, 0, 0])[1:-1, 1:-1, 1:-1] & ~surface
