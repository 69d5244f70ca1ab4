"""Pictures of the importance of texels, and of planes side by side."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.rendering import importance_pictures

GAP = 4  # white columns between planes


def importance_picture(weights: Sequence[Float[Tensor, "_ _"]]) -> UInt8[np.ndarray, "H W"]:
    """The weights of texels of one scene, plane beside plane."""
    return side_by_side([plane.numpy() for plane in importance_pictures(weights)])


def side_by_side(planes: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W"]:
    """Grey pictures in one, on white."""
    height = max(plane.shape[0] for plane in planes)
    padded = [np.pad(plane, ((0, height - plane.shape[0]), (0, GAP)), constant_values=255) for plane in planes]
    return np.concatenate(padded, 1)[:, :-GAP].astype(np.uint8)
