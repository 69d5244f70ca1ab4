"""An object as named parts, vectors whose weighted means are objects again: what priors learn and draw.

Codes + box ──► {"weights": (B, n), "micro": (B, n), "shape": (B, n), "box": (B, n)} ──► Codes + box
"""

import math
from collections.abc import Mapping
from typing import Protocol, cast

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.fields import Codes, FusedPlanes, FusedPlanesConfig, ObjectCodes
from manyfields.generation.shape_grids import distances_of, grid_side, hulls_of, solid_of
from manyfields.latents import SharedPart

Parts = Mapping[str, Tensor]

GROWN = 5  # texels: micro planes count where the hull casts its shadow, and two texels around it
THINNEST = 0.02  # least extent of a box


class ObjectParts(Protocol):
    """From codes of a family to parts and back.

    `layers`: how many layers of an object the parts make. `groups`: names of parts that belong together, and may be
    taken from another object than the rest.
    """

    layers: int
    groups: tuple[tuple[str, ...], ...]

    def of(self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"]) -> Parts:
        """Parts (B, n) of objects, in float32."""
        ...

    def codes(self, parts: Parts) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
        """Codes of all layers, zeros in those that the parts do not make, and boxes."""
        ...


def parts_of(shared: SharedPart, level: int | None = None) -> ObjectParts:
    """How objects of a shared part are taken apart; `level`: that many layers alone (all when None).

    Raises ConfigError for families whose objects have codes of different shapes, and for a level that shows nothing.
    """
    if isinstance(shared.family, FusedPlanes):
        return FusedParts(shared, level)
    shapes = getattr(shared.family.config, "code_shapes", None)
    if shapes is None:
        raise ConfigError("a prior needs codes of one shape for all objects: octrees and scenes of grids have none")
    if level not in (None, len(shared.family.config.layers)):
        raise ConfigError(f"level {level}: a code of this family is drawn whole")
    return CodeParts(shapes())


class CodeParts:
    """The tensors of a code as they are, such as one latent vector, and the box."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.layers = 1
        # What fills the cube may not fit into another's box.
        self.groups: tuple[tuple[str, ...], ...] = ((*self.shapes, "box"),)

    def of(self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"]) -> Parts:
        tensors = cast(Codes, codes).tensors
        return {**{name: tensors[name].float().flatten(1) for name in self.shapes}, "box": bounds.flatten(1)}

    def codes(self, parts: Parts) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
        tensors = {name: parts[name].reshape(-1, *shape) for name, shape in self.shapes.items()}
        return Codes(tensors), boxes(parts["box"])


class FusedParts:
    """Fused planes: weights with bias, micro planes, the shape within the box, and the box.

    The hull becomes a grid of signed distances (`shape_grids`). Texels of micro planes that nothing casts its shadow on
    are zeros.
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


def boxes(values: Float[Tensor, "B 6"]) -> Float[Tensor, "B 2 3"]:
    """Low and high corners within [-1, 1]^3, never flat."""
    corners = values.view(-1, 2, 3)
    middle = corners.mean(1).clamp(THINNEST - 1, 1 - THINNEST)
    half = (0.5 * (corners[:, 1] - corners[:, 0])).clamp(min=0.5 * THINNEST)
    return torch.stack([middle - half, middle + half], 1).clamp(-1.0, 1.0)


def _shadows(hull: Tensor, side: int) -> Float[Tensor, "B 3 H W"]:
    """1 at texels of planes XY, XZ, YZ (rows are the second axis) that the hull [x, y, z] is seen over."""
    filled = hull > 0
    seen = torch.stack([filled.any(axis).transpose(1, 2) for axis in (3, 2, 1)], 1).float()
    return functional.max_pool2d(functional.interpolate(seen, size=(side, side)), GROWN, 1, GROWN // 2)
