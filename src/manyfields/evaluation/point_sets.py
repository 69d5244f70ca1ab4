"""Shapes as sets of points: Chamfer distance, coverage, and minimum matching distance (Achlioptas et al. 2018)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from manyfields.errors import ConfigError, MeshError
from manyfields.views.surface_samples import Triangles

SURFACE = 8.0  # density, in objects' units: a stretch of 0.1 hides half of what is behind it


@dataclass(frozen=True)
class ShapeScores:
    """`coverage`: share of true shapes that are the nearest to some sample; `matching`: mean Chamfer distance from
    true shapes to their nearest sample; smaller is better."""

    coverage: float
    matching: float


def chamfer(first: Float64[np.ndarray, "N 3"], second: Float64[np.ndarray, "M 3"]) -> float:
    """Sum of the mean squared distances from points of each to the nearest of the other. Needs scipy."""
    return float(_chamfers([first], [second])[0, 0])


def compare_shapes(drawn: list[Float64[np.ndarray, "N 3"]], true: list[Float64[np.ndarray, "M 3"]]) -> ShapeScores:
    """Coverage and minimum matching distance of sets of shapes. Raises ConfigError where one is empty."""
    if not drawn or not true:
        raise ConfigError("coverage needs at least one shape a side")
    distances = _chamfers(drawn, true)
    covered = len(np.unique(distances.argmin(1)))
    return ShapeScores(covered / len(true), float(distances.min(0).mean()))


def _chamfers(first: list[np.ndarray], second: list[np.ndarray]) -> Float64[np.ndarray, "A B"]:
    from scipy.spatial import cKDTree

    here, there = ([cKDTree(points) for points in shapes] for shapes in (first, second))
    found = np.empty((len(here), len(there)))
    for row, a in enumerate(here):
        for column, b in enumerate(there):
            found[row, column] = (b.query(a.data)[0] ** 2).mean() + (a.query(b.data)[0] ** 2).mean()
    return found


def points_on_surface(
    densities: Float[np.ndarray, "G G G"],
    bounds: Float64[np.ndarray, "2 3"],
    count: int = 2048,
    seed: int = 0,
    level: float = SURFACE,
) -> Float64[np.ndarray, "P 3"]:
    """Points spread evenly over the surface where densities in the cells [x, y, z] of a box pass `level`.

    Marching cubes of scikit-image. Raises MeshError where there is no surface.
    """
    from skimage.measure import marching_cubes

    # Beyond the box is nothing: a surface that reaches its side is closed there.
    padded = np.pad(densities.astype(np.float32), 1)
    if not padded.max() > level:
        raise MeshError(f"no density is above {level:g}: there is no surface")
    vertices, faces, _, _ = marching_cubes(padded, level)
    cell = (bounds[1] - bounds[0]) / densities.shape[0]
    placed = bounds[0] + (vertices.astype(np.float64) - 0.5) * cell
    points, _ = Triangles(placed, faces.astype(np.int64)).sample(count, np.random.default_rng(seed))
    return points
