"""Octrees of several objects as the flat arrays that `rendering.tree_steps` walks down."""

from functools import lru_cache

import torch
import torch.nn.functional as functional
from jaxtyping import Int32
from torch import Tensor

from manyfields.families.octree.morton import decode
from manyfields.families.octree.tree import Octree


@lru_cache(maxsize=4)
def walkable(
    trees: tuple[Octree, ...],
) -> tuple[Int32[Tensor, "B G G G"], Int32[Tensor, "n 8"], Int32[Tensor, "n 8"]]:
    """Grid, children and corners of octrees. The last few are remembered: a fit asks for the same ones at each step."""
    grids, children, corners, voxels, line = [], [], [], 0, 0
    for tree in trees:
        side, packed, count = 2**tree.first, tree.packed, len(torch.cat(tree.voxels))
        grid = torch.full((side, side, side), -1, dtype=torch.int32)
        roots = torch.arange(len(packed.roots), dtype=torch.int32) + voxels
        grid[decode(packed.roots).unbind(-1)] = roots
        links = functional.pad(packed.children, (0, 0, 0, count - len(packed.children)), value=-1)
        grids.append(grid)
        children.append(torch.where(links < 0, links, links + voxels))
        for places, found in zip(tree.corner_of, tree.corner_counts, strict=True):
            corners.append((places + line).to(torch.int32))
            line += found
        voxels += count
    return torch.stack(grids), torch.cat(children), torch.cat(corners)
