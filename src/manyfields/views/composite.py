"""Straight-alpha images on a stated background."""

import numpy as np
from jaxtyping import UInt8


def composite(
    rgba: UInt8[np.ndarray, "*batch 4"], background: tuple[int, int, int] = (255, 255, 255)
) -> UInt8[np.ndarray, "*batch 3"]:
    """RGB of `rgba` (sRGB, straight alpha) in front of `background`, rounded to the nearest of 0..255.

    >>> composite(np.array([[0, 0, 0, 255], [0, 0, 0, 128], [0, 0, 0, 0]], np.uint8))[:, 0]
    array([  0, 127, 255], dtype=uint8)
    """
    alpha = rgba[..., 3:].astype(np.uint16)
    # At most 255 * 255 + 127: fits uint16.
    mixed = rgba[..., :3] * alpha + np.asarray(background, np.uint16) * (255 - alpha)
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
