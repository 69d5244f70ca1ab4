"""Where transform coding in a single stage starts: random vectors and a random network in the box of a fitted scene.

Of that scene it has box, map, resolution and alpha mask: what its fit has found to be empty. Its planes, vectors
and network are not looked at (Neural NeRF Compression 2024, table 5).
"""

import copy
from dataclasses import replace

import torch
from torch import Tensor

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.fitting.data import FittingObject
from manyfields.fitting.guides import START, Guides
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.shared_part import SharedPart


def started_anew(
    shared: SharedPart[TensorFamily], grids: TensorGrids, generator: torch.Generator
) -> tuple[SharedPart[TensorFamily], TensorGrids]:
    """A shared part with a random network, and random grids of the same box, map, resolution and mask."""
    shared = copy.deepcopy(shared)
    shared.family = TensorFamily(shared.family.config, generator)
    made = shared.family.new_grids(grids.box, grids.resolution, generator)
    return shared, replace(made, mask=grids.mask, map=grids.map)


def guides_inside(loss: SceneLoss, item: FittingObject, grids: TensorGrids) -> Guides:
    """A guide that starts at the alpha mask, all alike. `loss` places samples by it, also after refreshes."""
    guides = Guides([replace(item, hull=None)], len(grids.mask), loss.guide.device)
    guides.replace(0, grids.mask, START * grids.mask.float())
    loss.guide = guides.values
    return guides


def stored_vectors(grids: TensorGrids, bits: int) -> list[Tensor]:
    """Vectors of density and appearance, three of each, as a file with numbers of `bits` will give them back."""
    vectors = [*grids.density.vectors, *grids.appearance.vectors]
    flat = torch.cat([vector.detach().flatten() for vector in vectors])
    numbers = decode_network(encode_network(flat, bits), len(flat), bits)
    parts = numbers.split([own.numel() for own in vectors])
    return [part.view(own.shape).clone() for part, own in zip(parts, vectors, strict=True)]
