"""Tiny objects on disk, written without the code under test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def look_at_origin(position: np.ndarray) -> np.ndarray:
    """An OpenGL camera-to-world pose."""
    backward = position / np.linalg.norm(position)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(backward, right), backward, position], -1)
    return pose


def ring(count: int, radius: float = 2.7) -> list[np.ndarray]:
    angles = np.arange(count) * 2 * np.pi / count + 0.3
    places = np.stack([np.cos(angles), np.sin(angles), np.full(count, 0.5)], -1)
    return [look_at_origin(radius * place / np.linalg.norm(place)) for place in places]


def picture(index: int, width: int = 8, height: int = 8) -> np.ndarray:
    """A different picture for every index, opaque in its middle."""
    rgba = np.random.default_rng(index).integers(1, 255, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] = 0
    rgba[2:-2, 2:-2, 3] = 255
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def save_picture(path: Path, rgba: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(path)


def write_transforms(
    folder: Path,
    count: int = 6,
    poses: list[np.ndarray] | None = None,
    file: str = "transforms.json",
    prefix: str = "rgba",
    extension: str = ".png",
    **header: Any,
) -> Path:
    """An object folder like those of our renders; `header` adds to the JSON or, where None, takes away."""
    frames = []
    for index, pose in enumerate(ring(count) if poses is None else poses):
        save_picture(folder / prefix / f"{index:03d}.png", picture(index))
        frames.append({"file_path": f"{prefix}/{index:03d}{extension}", "transform_matrix": np.asarray(pose).tolist()})
    content = {"camera_angle_x": 0.6911112, "w": 8, "h": 8, "aabb": [[-1, -1, -1], [1, 1, 1]], "frames": frames}
    content = {key: value for key, value in {**content, **header}.items() if value is not None}
    (folder / file).write_text(json.dumps(content))
    return folder


class Maker:
    """What the tests of views write objects with."""

    ring = staticmethod(ring)
    look_at_origin = staticmethod(look_at_origin)
    picture = staticmethod(picture)
    save_picture = staticmethod(save_picture)
    transforms = staticmethod(write_transforms)

    @staticmethod
    def edit(folder: Path, change: Callable[[dict[str, Any]], None], file: str = "transforms.json") -> None:
        content = json.loads((folder / file).read_text())
        change(content)
        (folder / file).write_text(json.dumps(content))


@pytest.fixture
def make() -> type[Maker]:
    return Maker
