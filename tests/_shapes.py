"""Views of coloured boxes and balls, ray-cast with numpy: exact ground truth, written without the code under test."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ANGLE_X, RADIUS = 0.6911112, 2.7


@dataclass(frozen=True)
class Shape:
    """A box (`half` extents) or a ball (radius `half[0]`) round `center`, coloured by where its surface points."""

    kind: str
    half: tuple[float, float, float]
    color: tuple[float, float, float] = (0.8, 0.3, 0.2)
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)


def ring(count: int) -> list[np.ndarray]:
    """OpenGL camera-to-world poses that look at the origin, spread over the upper half of a sphere."""
    poses = []
    for index in range(count):
        angle, height = 2.399963 * index, -0.3 + 1.1 * (index + 0.5) / count
        flat = np.sqrt(1 - height**2)
        backward = np.array([flat * np.cos(angle), flat * np.sin(angle), height])
        right = np.cross([0.0, 0.0, 1.0], backward)
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(backward, right), backward, RADIUS * backward], -1)
        poses.append(pose)
    return poses


def cast(shape: Shape, pose: np.ndarray, side: int) -> np.ndarray:
    """One view as RGBA uint8 (side, side, 4), colour 0 where nothing is hit."""
    focal = 0.5 * side / np.tan(0.5 * ANGLE_X)
    row, column = np.mgrid[:side, :side] + 0.5
    local = np.stack([(column - side / 2) / focal, -(row - side / 2) / focal, -np.ones_like(row)], -1)
    direction = local @ pose[:3, :3].T
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    origin = pose[:3, 3] - shape.center
    if shape.kind == "ball":
        middle = -direction @ origin
        rest = shape.half[0] ** 2 - (origin @ origin - middle**2)
        hit = rest > 0
        normal = origin + (middle - np.sqrt(np.maximum(rest, 0)))[..., None] * direction
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    else:
        with np.errstate(divide="ignore"):
            slabs = np.stack([(sign * np.array(shape.half) - origin) / direction for sign in (-1, 1)])
        near, far = slabs.min(0), slabs.max(0)
        hit = near.max(-1) < far.min(-1)
        axis = near.argmax(-1)
        normal = -np.sign(np.take_along_axis(direction, axis[..., None], -1)) * np.eye(3)[axis]
    shaded = np.clip(np.array(shape.color) * (0.8 + 0.2 * normal[..., 2:]) + 0.1 * normal, 0, 1)
    rgba = np.concatenate([shaded, np.ones_like(shaded[..., :1])], -1) * hit[..., None]
    return (rgba * 255).round().astype(np.uint8)


def write(folder: Path, shape: Shape, views: int = 10, side: int = 32, group: str | None = None) -> Path:
    """An object folder: rgba/000.png, ... and transforms.json."""
    (folder / "rgba").mkdir(parents=True)
    frames = []
    for index, pose in enumerate(ring(views)):
        Image.fromarray(cast(shape, pose, side)).save(folder / "rgba" / f"{index:03d}.png")
        frames.append({"file_path": f"rgba/{index:03d}.png", "transform_matrix": pose.tolist()})
    content = {"camera_angle_x": ANGLE_X, "w": side, "h": side, "aabb": [[-1] * 3, [1] * 3], "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content | ({"group": group} if group else {})))
    return folder


EXAMPLES = {
    "ball_blue": Shape("ball", (0.6, 0, 0), (0.2, 0.3, 0.9)),
    "ball_red": Shape("ball", (0.5, 0, 0), (0.9, 0.2, 0.2)),
    "box_flat": Shape("box", (0.7, 0.5, 0.2), (0.2, 0.8, 0.3)),
    "box_tall": Shape("box", (0.3, 0.3, 0.7), (0.8, 0.7, 0.1)),
    "box_wide": Shape("box", (0.2, 0.75, 0.3), (0.6, 0.2, 0.8)),
}


def write_set(folder: Path, names: list[str], views: int = 10, side: int = 32) -> Path:
    """A folder of the example objects `names`."""
    for name in names:
        write(folder / name, EXAMPLES[name], views, side)
    return folder
