"""Tiny tensor fields."""

import torch

from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.families.tensor_planes.grids import TensorCodes, TensorGrids
from manyfields.shared_part import SharedPart

BOX = torch.tensor([[-0.5, -0.6, -0.4], [0.7, 0.6, 0.5]])
RESOLUTION = (5, 6, 7)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def config(kind: str = "vm", components: int = 4, **sizes) -> TensorConfig:
    given = {"features": 5, "hidden": 8, "guide_side": 8, **sizes}
    return TensorConfig(kind, density_components=components, appearance_components=2 * components, **given)


def new_shared(kind: str = "vm", components: int = 4, **sizes) -> SharedPart:
    return SharedPart(TensorFamily(config(kind, components, **sizes), generator()), None)


def noise(grids: TensorGrids, scale: float = 1.0, seed: int = 1) -> TensorGrids:
    """The same grids with larger numbers in them."""
    draw = generator(seed)
    return grids.with_tensors([scale * torch.randn(tensor.shape, generator=draw) for tensor in grids.tensors])


def random_codes(family: TensorFamily, count: int = 1, scale: float = 1.0) -> TensorCodes:
    grids = [family.new_grids(BOX, (5 + n, 6, 7), generator(n)) for n in range(count)]
    return TensorCodes(tuple(noise(each, scale, seed) for seed, each in enumerate(grids)))


def column(family: TensorFamily, side: int = 12, radius: float = 0.4) -> TensorCodes:
    """An upright column of constant density in [-0.5, 0.5]^3: plane XY holds a disc, its vector a stretch."""
    grids = family.new_grids(torch.tensor([[-0.5] * 3, [0.5] * 3]), (side,) * 3, generator())
    axis = torch.linspace(-0.5, 0.5, side)
    disc = (axis[:, None].square() + axis.square() < radius**2).float()
    for tensor in grids.density.tensors:
        tensor.zero_()
    grids.density.planes[0][..., 0] = 60 * disc - 20
    grids.density.vectors[0][..., 0] = (axis.abs() < radius).float()
    return TensorCodes((grids,))
