"""Pictures of what transform coding knows of planes: where training rays look, and which latents are stored.

Importance is known while a scene is coded and kept beside the collection; masks are in the scene's bytes.
"""

from pathlib import Path

import numpy as np

from manyfields.collection import Collection
from manyfields.evaluation.report import PlaneMap
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.pictures import FOLDER, side_by_side

LATENT_TEXELS = 4  # along a side: masks are shown as large as the planes


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
