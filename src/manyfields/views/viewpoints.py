"""Where the cameras of an object stand: repeatable random points around it, from which they look at it.

The points depend on the seed and the object's id only, never on the order of objects or on how many processes render.
"""

from __future__ import annotations

import hashlib

import numpy as np

from manyfields.errors import ConfigError

VIEWPOINTS = ("hemisphere", "sphere", "front", "plane")
RADIUS = 2.7
CAMERA_ANGLE_X = 0.6911112
PLANE_REACH = 0.6  # of "plane", to either side
PLANE_AIM = 0.3  # what its cameras look at, as a share of how far they stand aside


def generator_for(seed: int, object_id: str) -> np.random.Generator:
    """The random numbers of one object: PCG64 seeded with the SHA-256 of seed and id."""
    digest = hashlib.sha256(f"{seed}/{object_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def camera_poses(
    views: int, viewpoints: str = "hemisphere", seed: int = 0, object_id: str = "", radius: float = RADIUS
) -> np.ndarray:
    """Camera-to-world matrices float64 [V, 4, 4], OpenGL axes, world z up, looking at the object from `radius`.

    "hemisphere": uniform over the upper hemisphere; "sphere": uniform over the whole sphere; "front": within 60 degrees
    to the left and right of the front (-y) and between 5 degrees below and 45 above; all of these look at the origin.
    "plane": a forward-facing scene, from a square in front of the object, turned a little to its middle. Points are
    spread in strata (one of `views` equal bands of height each, shuffled), so that few views still cover the object.
    Raises ConfigError.
    """
    if viewpoints not in VIEWPOINTS:
        raise ConfigError(f"viewpoints {viewpoints!r} is not known; use one of {', '.join(VIEWPOINTS)}")
    if views < 1:
        raise ConfigError(f"views is {views}; render at least 1 view per object")
    generator = generator_for(seed, object_id)
    bands = (np.arange(views) + generator.random(views)) / views
    turns = (np.arange(views) + generator.random(views)) / views
    heights, turns = generator.permutation(bands), generator.permutation(turns)
    if viewpoints == "plane":
        x, z = PLANE_REACH * (2 * turns - 1), PLANE_REACH * (2 * heights - 1)
        positions = np.stack([x, np.full(views, -radius), z], axis=1)
        return _looking_at(PLANE_AIM * positions * [1.0, 0.0, 1.0], positions)
    if viewpoints == "hemisphere":
        z, azimuth = heights, 2 * np.pi * turns
    elif viewpoints == "sphere":
        z, azimuth = 2 * heights - 1, 2 * np.pi * turns
    else:
        low, high = np.sin(np.deg2rad([-5.0, 45.0]))
        z, azimuth = low + (high - low) * heights, -np.pi / 2 + np.deg2rad(60.0) * (2 * turns - 1)
    flat = np.sqrt(np.maximum(1 - z * z, 0))
    return _looking_at(np.zeros(3), radius * np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), z], axis=1))


def _looking_at(targets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    backward = positions - targets
    backward = backward / np.linalg.norm(backward, axis=1, keepdims=True)
    right = np.cross([0.0, 0.0, 1.0], backward)
    length = np.linalg.norm(right, axis=1, keepdims=True)
    right = np.where(length > 1e-9, right / np.maximum(length, 1e-9), [1.0, 0.0, 0.0])  # straight above or below
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, :3, 0], poses[:, :3, 1], poses[:, :3, 2] = right, np.cross(backward, right), backward
    poses[:, :3, 3] = positions
    return poses
