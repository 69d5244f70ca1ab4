"""Focal lengths and centres, judged: what is no number, what is a share of the image, what cannot be in pixels."""

from dataclasses import replace

import numpy as np

from manyfields.errors import ViewError
from manyfields.views.readers.capture import Capture

_WIDEST = 0.1
"""Focal length, in widths of the image, below which a pinhole would see more than 157 degrees."""
_MOST = 10.0  # the longest focal length, in widths, that a number is taken for a share of
_CORNER = 0.1  # of the width and height
_EDGE = 0.01
_ALIKE = 0.02


def with_sound_numbers(capture: Capture) -> Capture:
    """The views whose intrinsics are numbers that a camera can have. Raises ViewError where there is none."""
    faults: dict[int, tuple[str, str]] = {}
    for row in range(len(capture)):
        focal, center, size = capture.focal[row], capture.center[row], capture.sizes[row]
        if not (np.isfinite(focal).all() and (focal > 0).all() and np.isfinite(center).all()):
            faults[row] = ("intrinsics", "its intrinsics are not finite, or a focal length is not positive")
        elif (size <= 0).any():
            faults[row] = ("intrinsics", "its image size is not positive")
    if len(faults) == len(capture):
        raise ViewError(faults[0][1])
    return capture.without(faults)


def in_pixels(capture: Capture) -> Capture:
    """Intrinsics in pixels, where they are given as shares of the image.

    Raises ViewError where they can be neither: a centre in the corner of all images, or outside, or a focal length with
    which a pinhole would see half a sphere.
    """
    sizes = capture.sizes.astype(np.float64)
    shares = np.all((capture.center > 0) & (capture.center <= 1) & (sizes > 2), axis=-1)
    if shares.mean() > 0.5:
        x, y = (capture.center * sizes)[shares][0]
        given = ", ".join(f"{value:g}" for value in capture.center[shares][0])
        capture = replace(capture, center=np.where(shares[:, None], capture.center * sizes, capture.center))
        capture = capture.saying("intrinsics", f"the centre ({given}) is a share of the image: taken as {x:g}, {y:g}")
    pinholes = np.array([lens is None or not lens.fisheye for lens in capture.lenses])
    short = pinholes & (capture.focal[:, 0] < _WIDEST * sizes[:, 0])
    if short.mean() > 0.5:
        capture = _focal_in_pixels(capture, sizes, short)
    _check_centres(capture, sizes)
    return capture


def _focal_in_pixels(capture: Capture, sizes: np.ndarray, short: np.ndarray) -> Capture:
    focal = capture.focal
    of_each_side, of_width = focal * sizes, focal * sizes[:, :1]
    given, size = (", ".join(f"{value:g}" for value in pair[short][0]) for pair in (focal, sizes))
    for pixels in (of_each_side, of_width):
        square = np.abs(pixels[:, 0] / pixels[:, 1] - 1) < 0.05
        if short.all() and square.all() and (focal >= 2 * _WIDEST).all() and (focal <= _MOST).all():
            x, y = pixels[0]
            message = f"the focal length ({given}) is a share of the image: taken as {x:.4g}, {y:.4g} pixels"
            return replace(capture, focal=pixels).saying("intrinsics", message)
    raise ViewError(
        f"its focal length ({given}) is no number of pixels for images of {size} pixels: are they millimetres, or "
        "shares of the image? pixels belong there"
    )


def _check_centres(capture: Capture, sizes: np.ndarray) -> None:
    place = capture.center / sizes
    outside = ((place <= _EDGE) | (place >= 1 - _EDGE)).any(-1)
    corner = ((place < _CORNER) | (place > 1 - _CORNER)).all(-1)
    odd = outside | corner
    # Windows that were cut from larger images may lie anywhere, and do not all have one centre.
    if odd.mean() > 0.5 and (np.ptp(place[odd], axis=0) < _ALIKE).all():
        row = int(np.argmax(odd))
        (x, y), (width, height) = capture.center[row].tolist(), capture.sizes[row].tolist()
        raise ViewError(
            f"the principal point ({x:g}, {y:g}) lies in a corner of its images of {width}x{height}, or beyond: are "
            "cx and cy (and fl_x, fl_y) given for another size, or as shares of the image? pixels belong there"
        )
