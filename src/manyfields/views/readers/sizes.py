"""The true sizes of images: cameras follow them, and all images of an object are brought to one size."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from manyfields.errors import ViewError
from manyfields.views.depths import DepthFile
from manyfields.views.images import image_size, lies_on_its_side
from manyfields.views.readers.capture import Capture

Size = tuple[int, int]


def at_one_size(capture: Capture) -> tuple[Capture, list[Size]]:
    """Intrinsics for images of one size, the one most of them have; and the size that each image has itself.

    An image that is larger or smaller than its camera says was resized, and so are focal length and centre. One that
    lies on its side and whose EXIF orientation says so is turned. Raises ViewError where no image has the shape of its
    camera.
    """
    given = [(int(width), int(height)) for width, height in capture.sizes]
    stored: list[Size | None] = [_stored_size(file) for file in capture.files]
    own, upright, faults = list(given), [False] * len(capture), dict[int, tuple[str, str]]()
    for row, (camera, image) in enumerate(zip(given, stored, strict=True)):
        if image is None or same_shape(camera, image):
            own[row] = image or camera  # what cannot be opened is found by the check
        elif same_shape(camera, (image[1], image[0])) and lies_on_its_side(capture.files[row]):
            own[row], upright[row] = (image[1], image[0]), True
        else:
            faults[row] = ("size", _misfit(camera, image))
    if len(faults) == len(capture):
        raise ViewError(f"{faults[0][1]} ({len(faults)} of its {len(faults)} views)")
    capture = _said(replace(capture, upright=upright), given, own, set(faults))
    kept = [row for row in range(len(own)) if row not in faults]
    known = [own[row] for row in kept if stored[row] is not None] or [own[row] for row in kept]
    capture, own, given = capture.without(faults), [own[row] for row in kept], [given[row] for row in kept]
    sizes = Counter(known)
    common = max(sizes, key=lambda size: (sizes[size], size[0] * size[1], size))
    if len(sizes) > 1:
        counts = ", ".join(f"{count} of {_text(size)}" for size, count in sizes.most_common(4))
        counts += ", ..." if len(sizes) > 4 else ""
        capture = capture.saying("size", f"its images have {len(sizes)} sizes ({counts}): all become {_text(common)}")
    return _scaled(capture, given, own, common), own


def same_shape(first: Size, second: Size) -> bool:
    """Whether one is the other, larger or smaller, in whole pixels."""
    if first == second:
        return True
    (w, h), (W, H) = first, second
    if w == W or h == H:
        return False
    if abs(w * H / (h * W) - 1) < 0.005:
        return True
    if w * h > W * H:
        (w, h), (W, H) = second, first
    return max((w - 1) / W, (h - 1) / H) <= min((w + 1) / W, (h + 1) / H)


def _stored_size(file: Path) -> Size | None:
    try:
        return image_size(file)
    except ViewError:
        return None


def _misfit(camera: Size, image: Size) -> str:
    if same_shape(camera, (image[1], image[0])):
        return (
            f"the image is {_text(image)}, its camera {_text(camera)}: it lies on its side, and no EXIF orientation "
            "says which way; turn the image"
        )
    return (
        f"the image is {_text(image)}, its camera {_text(camera)}: another shape, so it was cut or stretched; correct "
        "w, h, the focal length and the centre"
    )


def _said(capture: Capture, given: list[Size], own: list[Size], left_out: set[int]) -> Capture:
    resized = [row for row in range(len(own)) if own[row] != given[row] and row not in left_out]
    if resized and not capture.usually_resized:
        row = resized[0]
        views = f"{len(resized)} of {len(own)} views"
        capture = capture.saying(
            "size",
            f"images are {_text(own[row])} where their cameras say {_text(given[row])} ({views}): focal lengths and "
            "centres are scaled to the images",
        )
    if count := sum(capture.upright):
        message = f"{count} of {len(own)} images are turned as their EXIF orientation says: so their cameras have them"
        capture = capture.saying("size", message)
    return capture


def _scaled(capture: Capture, given: list[Size], own: list[Size], common: Size) -> Capture:
    depths: list[DepthFile | None] = []
    for row, file in enumerate(capture.depths):
        moved = file is not None and not given[row] == own[row] == common
        depths.append(replace(file, resize=True) if file is not None and moved else file)
    scale = np.array(common) / np.array(given, np.float64)
    return replace(
        capture,
        focal=np.where(scale == 1, capture.focal, capture.focal * scale),
        center=np.where(scale == 1, capture.center, capture.center * scale),
        sizes=np.tile(np.array(common, np.int64), (len(capture), 1)),
        depths=depths,
    )


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
