"""Tiny scenes by pyramids of latents."""

import torch

from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.pyramid.fitter import scene_of
from manyfields.families.tensor_planes.pyramid.sensitivity import Sensitivity
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings

BOX = torch.tensor([[-0.5, -0.6, -0.4], [0.7, 0.6, 0.5]])
CONFIG = TensorConfig("vm", density_components=4, appearance_components=8, features=5, hidden=8, guide_side=8)
RESOLUTION = (12, 9, 14)
CHANNELS = CONFIG.density_components + CONFIG.appearance_components
SIZES = [(9, 12), (14, 12), (14, 9)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def family() -> TensorFamily:
    return TensorFamily(CONFIG, generator())


def grids(scale: float = 1.0, seed: int = 1) -> TensorGrids:
    made, draw = family().new_grids(BOX, RESOLUTION, generator(seed)), generator(seed)
    return made.with_tensors([scale * torch.randn(tensor.shape, generator=draw) for tensor in made.tensors])


def seen(seed: int = 2) -> Sensitivity:
    """As if rays had seen all components a little differently, and few of them the texels far out."""
    mixed = torch.randn(3, CHANNELS, CHANNELS, generator=generator(seed))
    squares = mixed @ mixed.transpose(1, 2) + torch.eye(CHANNELS)
    texels = tuple(1e-4 + torch.rand(size, generator=generator(seed)) ** 4 for size in SIZES)
    return Sensitivity(squares, texels)


def scene(own_network: bool = False, of: TensorGrids | None = None, **changes):
    found = PyramidSettings(**{"price": 0.2, "levels": 3, "classes": 6, **changes})
    network = family().numbers() if own_network else None
    return scene_of(grids() if of is None else of, seen(), found, network)
