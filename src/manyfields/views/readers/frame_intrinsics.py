"""What a frame of transforms.json says of its camera: focal length, centre, size and lens."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manyfields.cameras import focal_from_angle
from manyfields.errors import ViewError
from manyfields.views.images import image_size
from manyfields.views.readers.sizes import Size, same_shape
from manyfields.views.undistort import Lens

_LENS_KEYS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
KEYS = {
    *("fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "camera_model", "is_fisheye"),
    *_LENS_KEYS,
}
_PERSPECTIVE_MODELS = {"PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV", "PERSPECTIVE"}
_FISHEYE_MODELS = {"OPENCV_FISHEYE", "FISHEYE"}
_OFF = 0.1  # share by which a centre lies off the middle where it was given for an image of another size


class Intrinsics(NamedTuple):
    """In pixels of an image of `width` x `height`."""

    focal_x: float
    focal_y: float
    center_x: float
    center_y: float
    width: int
    height: int
    lens: Lens | None


class ImageSizes:
    """Sizes of the images of a file's frames, each looked up when first asked for."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._found: list[Size | None] | None = None

    def of(self, row: int) -> Size | None:
        """None where the image cannot be opened."""
        return self._all()[row]

    def common(self) -> Size:
        """The size most images have. Raises ViewError where none can be opened."""
        counts = Counter(size for size in self._all() if size is not None)
        if counts:
            return max(counts, key=lambda size: (counts[size], size[0] * size[1], size))
        reason = "it has no frames"
        try:
            for file in self._files[:1]:
                image_size(file)
        except ViewError as error:
            reason = str(error)
        raise ViewError(f"w and h are not given, and no image can be opened to find them: {reason}")

    def _all(self) -> list[Size | None]:
        if self._found is None:
            self._found = [self._look(file) for file in self._files]
        return self._found

    @staticmethod
    def _look(file: Path) -> Size | None:
        try:
            return image_size(file)
        except ViewError:
            return None


def intrinsics(values: dict[str, Any], row: int, sizes: ImageSizes) -> Intrinsics:
    """Of the frame `row`. Raises ViewError, or what Python raises of a value that is no number."""
    if values.get("w") is not None and values.get("h") is not None:
        width, height = round(float(values["w"])), round(float(values["h"]))
    else:
        width, height = _unwritten_size(values, sizes.of(row), sizes.common())
    if max(width, height) > 1_000_000:
        raise ViewError(f"w and h are {width} and {height}: no image has so many pixels")
    if values.get("fl_x") is not None:
        focal_x = float(values["fl_x"])
    elif values.get("camera_angle_x") is not None:
        focal_x = focal_from_angle(_angle(values, "camera_angle_x"), width)
    elif values.get("camera_angle_y") is not None:
        focal_x = focal_from_angle(_angle(values, "camera_angle_y"), height)
    elif values.get("fl_y") is not None:
        focal_x = float(values["fl_y"])
    else:
        raise ViewError("neither fl_x nor camera_angle_x is given")
    if values.get("fl_y") is not None:
        focal_y = float(values["fl_y"])
    elif values.get("camera_angle_y") is not None:
        focal_y = focal_from_angle(_angle(values, "camera_angle_y"), height)
    else:
        focal_y = focal_x
    center_x = float(values["cx"]) if values.get("cx") is not None else width / 2
    center_y = float(values["cy"]) if values.get("cy") is not None else height / 2
    return Intrinsics(focal_x, focal_y, center_x, center_y, width, height, _lens(values))


def _unwritten_size(values: dict[str, Any], own: Size | None, common: Size) -> Size:
    """The size that intrinsics without w and h are for: the image's own, unless the centre says of another."""
    if own is None:
        return common
    if values.get("cx") is None or values.get("cy") is None:
        return common if values.get("fl_x") is not None and same_shape(own, common) else own
    center = float(values["cx"]), float(values["cy"])
    if not (math.isfinite(max(center)) and min(center) > 1):
        return own
    for width, height in (own, own[::-1]):
        factors = 2 * center[0] / width, 2 * center[1] / height
        factor = sum(factors) / 2
        if abs(factors[0] - factors[1]) < 0.02 * factor:
            is_own = (width, height) == own and abs(factor - 1) <= _OFF
            return own if is_own else (round(width * factor), round(height * factor))
    return own


def _angle(values: dict[str, Any], key: str) -> float:
    angle = float(values[key])
    if angle >= math.pi:
        raise ViewError(f"{key} is {angle:g}, where an angle in radians belongs: is it in degrees?")
    return angle


def _lens(values: dict[str, Any]) -> Lens | None:
    model = str(values.get("camera_model") or "OPENCV").upper()
    fisheye = model in _FISHEYE_MODELS or bool(values.get("is_fisheye"))
    if not fisheye and model not in _PERSPECTIVE_MODELS:
        raise ViewError(
            f"camera_model {model} is not one of {', '.join(sorted(_PERSPECTIVE_MODELS | _FISHEYE_MODELS))}"
        )
    terms = {key: float(values.get(key) or 0.0) for key in _LENS_KEYS}
    if not np.isfinite(list(terms.values())).all():
        raise ViewError("the lens distortion is not finite")
    return Lens(**terms, fisheye=fisheye) if fisheye or any(terms.values()) else None
