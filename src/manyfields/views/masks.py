"""Masks: images beside the images that say where the object is, white on it and black elsewhere."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manyfields.errors import ViewError
from manyfields.views.images import load_grey


def load_mask(path: Path, width: int, height: int, upright: bool = False) -> UInt8[np.ndarray, "H W"]:
    """The mask as alpha, at the size of its image. Raises ViewError.

    Of two values the higher one is the object, whatever they are (0 and 1 too); a mask of more values is taken as it
    is, soft edges included.
    """
    from PIL import Image

    try:
        mask = load_grey(path, upright)
    except ViewError as error:
        raise ViewError(f"the mask cannot be read: {error}") from error
    values = np.unique(mask)
    if len(values) == 2 or (len(values) == 1 and values[0] > 0):
        mask = np.where(mask == values[-1], 255, 0).astype(np.uint8)
    if mask.shape == (height, width):
        return mask
    if abs(mask.shape[1] * height / (mask.shape[0] * width) - 1) > 0.02:
        raise ViewError(
            f"the mask {path} is {mask.shape[1]}x{mask.shape[0]}, its image {width}x{height}: it has another shape"
        )
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BOX))


def masked(rgba: UInt8[np.ndarray, "H W 4"], mask: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 4"]:
    """The image with no more alpha than its mask has."""
    result = rgba.copy()
    result[..., 3] = np.minimum(rgba[..., 3], mask)
    result[result[..., 3] == 0] = 0
    return result
