"""Where the object is, told from its cameras alone: photographs come in a world of any origin and scale."""

import numpy as np
from jaxtyping import Float64

from manyfields.errors import ViewError

_NEARLY_PARALLEL = 1e-4
"""Smallest eigenvalue of the mean of I - d d^T below which optical axes are taken as parallel (about 0.6 degrees)."""


def world_to_object_from_cameras(
    poses: Float64[np.ndarray, "V 4 4"], half_angles: Float64[np.ndarray, "V"]
) -> Float64[np.ndarray, "4 4"]:
    """The similarity that puts what the cameras look at into the unit sphere; the world's orientation is kept.

    poses: OpenGL camera-to-world, finite; half_angles: half of each camera's smaller field of view, in radians.

    The centre is the point nearest to all optical axes (the sum of distances is least, so a few wrong poses do not
    move it). What fills the smaller side of the image at the median distance becomes radius 1; that is the proportion
    of our own renders (2.7 * tan(0.6911112 / 2) = 0.97) and holds for NeRF-synthetic scenes too. Should cameras stand
    closer than that, the radius shrinks until 19 of 20 stand outside the sphere. Optical axes in parallel (a
    front-facing set, a single view) meet nowhere: the centre is then put in front of them by the cameras' spread,
    or by 1 unit for a single camera.

    Raises ViewError where all cameras stand at the point that they have in common (a panorama).
    """
    positions = poses[:, :3, 3]
    forward = -poses[:, :3, 2]
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-12)
    center = nearest_point(positions, forward)
    distance = np.linalg.norm(positions - center, axis=-1)
    radius = min(np.median(distance) * np.median(np.tan(half_angles)), 0.95 * np.quantile(distance, 0.05))
    spread = np.linalg.norm(positions - positions.mean(0), axis=-1).max()
    if radius <= 1e-6 * max(1.0, spread):
        raise ViewError("all cameras stand at one point; an object must be seen from round about")
    result = np.eye(4)
    result[:3, :3] /= radius
    result[:3, 3] = -center / radius
    return result


def nearest_point(
    positions: Float64[np.ndarray, "V 3"], directions: Float64[np.ndarray, "V 3"]
) -> Float64[np.ndarray, "3"]:
    """The point with the least sum of distances to the lines, by iteratively reweighted least squares."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    if np.linalg.eigvalsh(across.mean(0))[0] < _NEARLY_PARALLEL:
        ahead = directions.mean(0)
        spread = 2 * np.linalg.norm(positions - positions.mean(0), axis=-1).max()
        return positions.mean(0) + ahead / max(np.linalg.norm(ahead), 1e-12) * (spread or 1.0)
    middle = positions.mean(0)
    offsets = positions - middle  # solved about the middle: coordinates may be far from zero
    weights = np.ones(len(positions))
    point = np.zeros(3)
    for _ in range(30):
        normal = np.einsum("v,vij->ij", weights, across)
        point = np.linalg.solve(normal, np.einsum("v,vij,vj->i", weights, across, offsets))
        distance = np.linalg.norm(np.einsum("vij,vj->vi", across, point - offsets), axis=-1)
        weights = 1 / np.maximum(distance, 1e-3 * max(np.linalg.norm(offsets, axis=-1).max(), 1e-12))
    return point + middle
