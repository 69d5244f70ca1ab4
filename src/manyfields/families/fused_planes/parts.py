"""Fused planes as named parts: what priors of them learn and draw."""

import math
from typing import cast

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.shape_grids import distances_of, grid_side, hulls_of, solid_of
from manyfields.families.parts import Parts, boxes
from manyfields.fields import Codes
from manyfields.fields.codes import ObjectCodes
from manyfields.shared_part import SharedPart

GROWN = 5  # texels: micro planes count where the hull casts its shadow, and two texels around it


class FusedParts:
    """Fused planes: weights with bias, micro planes, the shape within the box, and the box.

    The hull becomes a grid of signed distances (`shape_grids`). Texels of micro planes that nothing casts its shadow on
    are zeros.

    >>> from manyfields.collection import open_collection
    >>> collection = open_collection("runs/vehicles")
    >>> parts = FusedParts(collection.shared_part, level=None)
    >>> stored = collection["truck"]
    >>> sorted(parts.names)
    ['box', 'micro', 'shape', 'weights']
    """

    def __init__(self, shared: SharedPart, level: int | None) -> None:
        self.shared = shared
        self.config: FusedPlanesConfig = shared.family.config
        count = len(self.config.layers)
        if level is not None and (level not in self.config.coarse_levels and level != count):
            known = ", ".join(str(number) for number in [*self.config.coarse_levels, count])
            raise ConfigError(f"level {level}: objects of this family show with {known} of their layers")
        self.whole = level is None or level == count
        # A hull comes with any level: without it samples would be placed all through the box.
        self.layers = sum(self.whole or names != ("micro",) for names in self.config.layers)
        self.names = [
            *(["weights"] if self.config.macro_features else []),
            *(["micro"] if self.config.micro_features and self.whole else []),
            *(["shape"] if self.config.hull else []),
            "box",
        ]
        # Planes over the box are stretched with it; those over the cube are not.
        stretched = self.config.span == "box"
        inner = tuple(name for name in self.names if name != "box")
        self.groups: tuple[tuple[str, ...], ...] = (inner, ("box",)) if stretched else ((*inner, "box"),)

    def of(self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"]) -> Parts:
        tensors = cast(Codes, codes).tensors
        parts = {"box": bounds.flatten(1)}
        if "weights" in self.names:
            parts["weights"] = torch.cat([tensors["weights"], tensors["bias"]], 1)
        if "shape" in self.names:
            guides = self.shared.guide(codes, bounds)
            assert guides is not None
            solids = [solid_of(guide, box) for guide, box in zip(guides, bounds, strict=True)]
            parts["shape"] = torch.stack([distances_of(solid) for solid in solids]).flatten(1)
        if "micro" in self.names:
            micro = tensors["micro"]
            if "shape" in self.names:
                micro = micro * _shadows(tensors["hull"], self.config.resolution).unsqueeze(-1)
            parts["micro"] = micro.flatten(1)
        return {name: parts[name].float() for name in self.names}

    def codes(self, parts: Parts) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
        shapes = self.config.code_shapes()
        tensors: dict[str, Tensor] = {}
        if "weights" in self.names:
            tensors |= {"weights": parts["weights"][:, :-1], "bias": parts["weights"][:, -1:]}
        if "shape" in self.names:
            side = grid_side(self.config.hull)
            tensors["hull"] = hulls_of(parts["shape"].view(-1, side, side, side), self.config.hull)
        if "micro" in shapes:
            made = parts.get("micro", torch.zeros(len(parts["box"]), math.prod(shapes["micro"])))
            tensors["micro"] = made.view(-1, *shapes["micro"])
        return Codes({name: tensors[name].contiguous() for name in shapes}), boxes(parts["box"])


def _shadows(hull: Tensor, side: int) -> Float[Tensor, "B 3 H W"]:
    """1 at texels of planes XY, XZ, YZ (rows are the second axis) that the hull [x, y, z] is seen over."""
    filled = hull > 0
    seen = torch.stack([filled.any(axis).transpose(1, 2) for axis in (3, 2, 1)], 1).float()
    return functional.max_pool2d(functional.interpolate(seen, size=(side, side)), GROWN, 1, GROWN // 2)
