"""How near two surfaces are: Chamfer distance and the angle between normals, from points spread over both."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from manyfields.views.signed_distance import SignedDistance
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
    """From `points` of each surface, spread evenly over it, to the nearest triangle of the other.

    Normals have no side: which way triangles turn does not count. Needs scipy.
    """
    generator = np.random.default_rng(seed)
    accuracy, cosines = _one_way(found, truth, points, generator)
    completeness, back = _one_way(truth, found, points, generator)
    both = np.concatenate([cosines, back]).clip(0.0, 1.0)
    return SurfaceScores(
        chamfer=0.5 * float(accuracy.mean() + completeness.mean()),
        accuracy=float(accuracy.mean()),
        completeness=float(completeness.mean()),
        normal_consistency=float(both.mean()),
        normal_error=float(np.degrees(np.arccos(both)).mean()),
    )


def _one_way(
    here: Triangles, there: Triangles, count: int, generator: np.random.Generator
) -> tuple[Float64[np.ndarray, " P"], Float64[np.ndarray, " P"]]:
    points, faces = here.sample(count, generator)
    distances, others = SignedDistance(there, holes_allowed=True).nearest(points)
    return distances, np.abs((here.normals[faces] * there.normals[others]).sum(-1))
