"""Poses, mended and judged: rotations that are scaled or rounded, and poses that go the other way."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from manyfields.views.placement import nearest_point
from manyfields.views.readers.capture import Capture

RIGID_TOLERANCE = 1e-3
"""How far columns of a rotation may be from orthogonal unit vectors: what files are rounded to."""
_FARTHEST = 1e15
"""What a number in a pose stays below: the square of its square must be a number."""
_UNEVEN = 0.02
"""How unequally long the axes may be of what is taken for a rotation that was rounded."""


def with_rotations(capture: Capture) -> Capture:
    """Poses whose axes are equally long and at right angles get axes of length 1. Others stay, for the check."""
    poses = capture.poses.copy()
    poses[~(np.abs(poses) < _FARTHEST).all((1, 2))] = np.nan
    scales: list[float] = []
    rounded = 0
    for row, pose in enumerate(poses.copy()):
        found = _rotation(pose)
        if found is not None:
            poses[row, :3, :3], scale = found
            if abs(scale - 1) > _UNEVEN / 2:
                scales.append(scale)
            else:
                rounded += 1
    capture = replace(capture, poses=poses)
    if scales:
        low, high = min(scales), max(scales)
        by = f"{low:.4g}" if high - low < 1e-3 * high else f"{low:.4g} to {high:.4g}"
        message = f"{len(scales)} of {len(poses)} rotations are scaled by {by}: the scale is taken out of them"
        capture = capture.saying("pose", message)
    if rounded:
        message = f"{rounded} of {len(poses)} rotations are rounded to few digits: the nearest rotations are taken"
        capture = capture.saying("pose", message)
    return capture


def _rotation(pose: Float64[np.ndarray, "4 4"]) -> tuple[Float64[np.ndarray, "3 3"], float] | None:
    """The rotation nearest to a pose's and its scale; None where there is nothing to mend, or it cannot be."""
    matrix = pose[:3, :3]
    if not np.isfinite(pose).all():
        return None
    if np.abs(matrix.T @ matrix - np.eye(3)).max() <= RIGID_TOLERANCE:
        return None
    left, lengths, right = np.linalg.svd(matrix)
    scale = float(lengths.mean())
    if scale < 1e-15 or np.abs(lengths / scale - 1).max() > _UNEVEN or np.linalg.det(left @ right) < 0:
        return None
    return left @ right, scale


def look_inverted(poses: Float64[np.ndarray, "V 4 4"]) -> bool:
    """Whether the inverted poses, and not the poses, look at one point from round about."""
    rigid = poses[np.abs(poses[:, :3, :3].transpose(0, 2, 1) @ poses[:, :3, :3] - np.eye(3)).max((1, 2)) < 0.01]
    if len(rigid) < 3:
        return False
    inverse = rigid.copy()
    inverse[:, :3, :3] = rigid[:, :3, :3].transpose(0, 2, 1)
    inverse[:, :3, 3] = -np.einsum("vij,vj->vi", inverse[:, :3, :3], rigid[:, :3, 3])
    return _miss(inverse) < 0.2 and _miss(rigid) > 0.35


def _miss(poses: Float64[np.ndarray, "V 4 4"]) -> float:
    """How far optical axes pass by the point that they have in common, in distances of the cameras from it.

    1 where they have none: cameras that all look in one direction, or stand at one point.
    """
    positions, directions = poses[:, :3, 3], poses[:, :3, 2]
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    if np.linalg.eigvalsh(across.mean(0))[0] < 0.02:
        return 1.0
    center = nearest_point(positions, directions)
    distance = np.median(np.linalg.norm(positions - center, axis=-1))
    if distance <= 1e-4 * np.linalg.norm(positions, axis=-1).max():
        return 1.0
    passed = np.linalg.norm(np.einsum("vij,vj->vi", across, center - positions), axis=-1)
    return float(np.median(passed) / distance)
