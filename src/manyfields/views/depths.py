"""Depth images: 16 bit files to distances along the rays of a view's pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Integer

from manyfields.errors import ViewError
from manyfields.views.images import find_image

MILLIMETRE = 0.001  # nerfstudio's unit of depth images, in units of the data's world
_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # Pillow's modes of 16 bit (older versions: 32 bit) grey


@dataclass(frozen=True)
class DepthFile:
    """Where the depth of a view is stored, and how.

    unit: what one step of the file is, in units of the data's world. along: 'ray', the distance from the camera to the
    surface; or 'axis', its part along the optical axis. resize: the image may have another size than its view
    (nerfstudio's: depth sensors are coarser than cameras).
    """

    path: Path
    unit: float
    along: Literal["ray", "axis"] = "ray"
    resize: bool = False


def load_steps(file: DepthFile, width: int, height: int) -> Integer[np.ndarray, "H W"]:
    """The numbers of the file, at the view's size: of the nearest pixel where it has another. Raises ViewError."""
    steps = _read(file.path)
    if steps.shape == (height, width):
        return steps
    if not file.resize:
        raise ViewError(
            f"the depth image {file.path} is {steps.shape[1]}x{steps.shape[0]}, its camera {width}x{height}; "
            "render it at the size of the view"
        )
    rows = ((np.arange(height) + 0.5) * steps.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * steps.shape[1] / width).astype(np.int64)
    return steps[np.ix_(rows, columns)]


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        found = find_image(path)
    except ViewError as error:
        raise ViewError(f"no depth image at {path}") from error
    try:
        with Image.open(found) as image:
            mode, steps = image.mode, np.array(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        message = " ".join(str(error).split())
        raise ViewError(f"the depth image {found} is damaged or not an image ({message})") from error
    if mode not in _GREY:
        raise ViewError(f"the depth image {found} is not 16 bit grey (Pillow calls it {mode}); write it as 16 bit PNG")
    if steps.min() < 0:
        raise ViewError(f"the depth image {found} has depths below 0")
    return steps


def ray_lengths(
    focal: tuple[float, float], center: tuple[float, float], width: int, height: int
) -> Float64[np.ndarray, "H W"]:
    """How far along each pixel's ray one unit of depth along the optical axis reaches."""
    x = (np.arange(width) + 0.5 - center[0]) / focal[0]
    y = (np.arange(height) + 0.5 - center[1]) / focal[1]
    return np.sqrt(1.0 + x[None] ** 2 + y[:, None] ** 2)


def distances(
    file: DepthFile,
    steps: Integer[np.ndarray, "H W"],
    focal: tuple[float, float],
    center: tuple[float, float],
    scale: float,
) -> Float32[np.ndarray, "H W"]:
    """Distances along rays in object units; `scale`: object units in a unit of the data's world."""
    depth = steps * (file.unit * scale)
    if file.along == "axis":
        depth = depth * ray_lengths(focal, center, steps.shape[1], steps.shape[0])
    return depth.astype(np.float32)
