"""Pictures of what a mixture holds besides scenes: an image is itself, voxels are a grey solid in the light."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.errors import ConfigError
from manyfields.families.mixture.field import MixtureFamily
from manyfields.fitting.instance_data import grid_points
from manyfields.rendering.solids import solid_views

CELLS = 64  # along a side of the grid that voxels are drawn from


@torch.no_grad()
def instance_seen(
    family: MixtureFamily, latent: Float[Tensor, "1 H"], cameras: Cameras
) -> UInt8[np.ndarray, "V S S 3"]:
    """Voxels through cameras, or an image (V = 1), of which they say no more than how large it is.

    Raises ConfigError for less than a pixel.
    """
    size = cameras.width
    if size < 1:
        raise ConfigError(f"size {size}: at least 1 pixel")
    if family.config.signal == "images":
        seen = family.values(latent, grid_points(size, 2)[None]).view(1, size, size, 3)
    else:
        values = family.values(latent, grid_points(CELLS, 3)[None])
        seen = solid_views(values.view(CELLS, CELLS, CELLS), cameras)
    return (seen.clamp(0.0, 1.0).numpy() * 255.0).round().astype(np.uint8)
