"""Pictures of what transform coding knows of planes: where training rays look, and which latents are stored.

Importance is known while a scene is coded and kept beside the collection; masks are in the scene's bytes.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields._io import write_atomic
from manyfields.collection import Collection
from manyfields.compression import TransformCodec
from manyfields.evaluation.report import PlaneMap
from manyfields.rendering import importance_pictures

FOLDER = "importance"
GAP = 4  # white columns between planes
LATENT_TEXELS = 4  # along a side: masks are shown as large as the planes


def save_importance(folder: Path, name: str, weights: Sequence[Float[Tensor, "_ _"]]) -> None:
    """Write the weights of texels of one scene as `importance/<name>.png` in `folder`."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(side_by_side([plane.numpy() for plane in importance_pictures(weights)])).save(file, "PNG")
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FOLDER / f"{name}.png", file.getvalue())


def plane_maps(collection: Collection, name: str) -> tuple[PlaneMap, ...]:
    """Importance, where its picture is at hand, and masks of one object; none for other codecs."""
    from PIL import Image

    codec = collection.codec
    if not isinstance(codec, TransformCodec):
        return ()
    (scene,) = codec.scenes([collection.layers(name)])
    masks = [np.kron(mask.flip(0).numpy(), np.ones((LATENT_TEXELS,) * 2)) for mask in scene.masks]
    shown = [PlaneMap("latents that are stored: planes XY, XZ, YZ", side_by_side([255 * mask for mask in masks]))]
    path = Path(collection.path) / FOLDER / f"{name}.png"
    if path.is_file():
        shown.insert(0, PlaneMap("importance of texels: planes XY, XZ, YZ", np.asarray(Image.open(path).convert("L"))))
    return tuple(shown)


def side_by_side(planes: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W"]:
    """Grey pictures in one, on white."""
    height = max(plane.shape[0] for plane in planes)
    padded = [np.pad(plane, ((0, height - plane.shape[0]), (0, GAP)), constant_values=255) for plane in planes]
    return np.concatenate(padded, 1)[:, :-GAP].astype(np.uint8)
