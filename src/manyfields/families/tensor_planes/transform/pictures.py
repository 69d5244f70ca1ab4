"""Pictures of the importance of texels, beside the planes that they weight."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields._io import write_atomic
from manyfields.rendering import importance_pictures

FOLDER = "importance"
GAP = 4  # white columns between planes


def save_importance(folder: Path, name: str, weights: Sequence[Float[Tensor, "_ _"]]) -> None:
    """Write the weights of texels of one scene as `importance/<name>.png` in `folder`."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(side_by_side([plane.numpy() for plane in importance_pictures(weights)])).save(file, "PNG")
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FOLDER / f"{name}.png", file.getvalue())


def side_by_side(planes: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W"]:
    """Grey pictures in one, on white."""
    height = max(plane.shape[0] for plane in planes)
    padded = [np.pad(plane, ((0, height - plane.shape[0]), (0, GAP)), constant_values=255) for plane in planes]
    return np.concatenate(padded, 1)[:, :-GAP].astype(np.uint8)
