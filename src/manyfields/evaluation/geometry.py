"""How near two surfaces are: Chamfer distance and the angle between normals, from points spread over both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from manyfields.views.surface_samples import Triangles


@dataclass(frozen=True)
class SurfaceScores:
    """Of a surface against the true one, in the units of their vertices; smaller is better but for consistency."""

    chamfer: float
    """Mean of the two mean distances: from points of each to the nearest point of the other."""
    accuracy: float
    """Mean distance from the surface to the true one."""
    completeness: float
    """Mean distance from the true surface to this one."""
    normal_consistency: float
    """Mean of |cosine| between normals at nearest points, both ways; 1 where all agree."""
    normal_error: float
    """Mean angle between these normals in degrees, 0 to 90."""


def compare_surfaces(found: Triangles, truth: Triangles, points: int = 100_000, seed: int = 0) -> SurfaceScores:
    """Sample `points` of each surface, and look for the nearest sample of the other.

    Of two equal surfaces the distances are not 0 but about half the distance between samples: 0.5 * sqrt(area /
    points). Normals have no side: which way triangles turn does not count. Needs scipy.
    """
    from scipy.spatial import cKDTree

    generator = np.random.default_rng(seed)
    here, here_normals = _with_normals(found, points, generator)
    there, there_normals = _with_normals(truth, points, generator)
    accuracy, cosines = _one_way(here, here_normals, cKDTree(there), there_normals)
    completeness, back = _one_way(there, there_normals, cKDTree(here), here_normals)
    both = np.concatenate([cosines, back]).clip(0.0, 1.0)
    return SurfaceScores(
        chamfer=0.5 * float(accuracy.mean() + completeness.mean()),
        accuracy=float(accuracy.mean()),
        completeness=float(completeness.mean()),
        normal_consistency=float(both.mean()),
        normal_error=float(np.degrees(np.arccos(both)).mean()),
    )


def _with_normals(
    surface: Triangles, count: int, generator: np.random.Generator
) -> tuple[Float64[np.ndarray, "P 3"], Float64[np.ndarray, "P 3"]]:
    points, faces = surface.sample(count, generator)
    return points, surface.normals[faces]


def _one_way(
    points: np.ndarray, normals: np.ndarray, tree: Any, others: np.ndarray
) -> tuple[Float64[np.ndarray, " P"], Float64[np.ndarray, " P"]]:
    distances, nearest = tree.query(points)
    return distances, np.abs((normals * others[nearest]).sum(-1))
