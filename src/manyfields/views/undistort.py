"""Lens distortion, undone by resampling: a distorted photograph becomes a pinhole image with the same intrinsics."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Integer, UInt8

from manyfields.errors import ViewError

_MOST_SIDE = 32766
NEEDS_OPENCV = "undoing lens distortion needs OpenCV: pip install 'manyfields[photos]'"


@dataclass(frozen=True)
class Lens:
    """OpenCV's lens models, in units of the focal length.

    Perspective (r^2 = x^2 + y^2): the factor (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6), plus
    the tangential p1, p2. Fisheye: with theta the angle to the optical axis, the radius is
    theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8). Source: OpenCV's calib3d documentation.
    """

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0
    fisheye: bool = False

    def distort(self, plane: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Where a pinhole's point (x right, y down, at z = 1) lands behind this lens."""
        x, y = plane[..., 0], plane[..., 1]
        square = x * x + y * y
        if self.fisheye:
            radius = np.sqrt(square)
            angle = np.arctan(radius)
            turn = angle * angle
            bent = angle * (1 + turn * (self.k1 + turn * (self.k2 + turn * (self.k3 + turn * self.k4))))
            return plane * np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)[..., None]
        factor = 1 + square * (self.k1 + square * (self.k2 + square * self.k3))
        factor = factor / (1 + square * (self.k4 + square * (self.k5 + square * self.k6)))
        shift_x = 2 * self.p1 * x * y + self.p2 * (square + 2 * x * x)
        shift_y = self.p1 * (square + 2 * y * y) + 2 * self.p2 * x * y
        return np.stack([x * factor + shift_x, y * factor + shift_y], -1)


def undistort(
    rgba: UInt8[np.ndarray, "H W 4"], focal: tuple[float, float], center: tuple[float, float], lens: Lens
) -> UInt8[np.ndarray, "H W 4"]:
    """The pinhole image with the same focal length, centre and size (bilinear; pixel centres at +0.5).

    Where the pinhole sees beyond the photograph's border, its nearest pixel is repeated.

    Raises ViewError where OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ViewError(NEEDS_OPENCV) from error

    height, width = rgba.shape[:2]
    columns, rows = _source_pixels(lens, focal, center, width, height)
    if max(width, height) > _MOST_SIDE:
        raise ViewError(f"OpenCV undoes lens distortion of images of up to {_MOST_SIDE} pixels a side: reduce it")
    opaque = bool((rgba[..., 3] == 255).all())
    if opaque:
        return cv2.remap(rgba, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Colours are averaged in proportion to how opaque they are, so that no hidden black bleeds into an outline.
    straight = rgba.astype(np.float32)
    weighted = np.concatenate([straight[..., :3] * straight[..., 3:] / 255, straight[..., 3:]], -1)
    moved = cv2.remap(weighted, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    color = np.where(moved[..., 3:] > 0.5, moved[..., :3] * 255 / np.maximum(moved[..., 3:], 0.5), 0)
    return np.concatenate([color, moved[..., 3:]], -1).round().clip(0, 255).astype(np.uint8)


def undistort_steps(
    steps: Integer[np.ndarray, "H W"], focal: tuple[float, float], center: tuple[float, float], lens: Lens
) -> Integer[np.ndarray, "H W"]:
    """The same for a depth image: each pixel takes the photograph's nearest one, 0 beyond its border.

    Depths are not averaged: between two surfaces there is none.
    """
    height, width = steps.shape
    columns, rows = (np.rint(axis).astype(np.int64) for axis in _source_pixels(lens, focal, center, width, height))
    seen = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return np.where(seen, steps[rows.clip(0, height - 1), columns.clip(0, width - 1)], 0)


@lru_cache(maxsize=4)
def _source_pixels(
    lens: Lens, focal: tuple[float, float], center: tuple[float, float], width: int, height: int
) -> tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """For every pixel of the pinhole image, the column and row of the photograph, with pixel centres at integers."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    plane = (np.stack([x, y], -1) - np.asarray(center)) / np.asarray(focal)
    source = lens.distort(plane) * np.asarray(focal) + np.asarray(center) - 0.5
    return source[..., 0].astype(np.float32), source[..., 1].astype(np.float32)
