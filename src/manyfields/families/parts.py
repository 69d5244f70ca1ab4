"""An object as named parts, vectors whose weighted means are objects again: what priors learn and draw.

Codes + box ──► {"weights": (B, n), "micro": (B, n), "shape": (B, n), "box": (B, n)} ──► Codes + box
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.fields import Codes
from manyfields.fields.codes import ObjectCodes
from manyfields.shared_part import SharedPart

Parts = Mapping[str, Tensor]

THINNEST = 0.02  # least extent of a box


class ObjectParts(Protocol):
    """From codes of a family to parts and back.

    `layers`: how many layers of an object the parts make. `groups`: names of parts that belong together, and may be
    taken from another object than the rest.

    >>> from manyfields.collection import open_collection
    >>> from manyfields.families.registry import parts_of
    >>> parts: ObjectParts = parts_of(open_collection("runs/vehicles").shared_part)
    >>> parts.layers
    3
    """

    layers: int
    groups: tuple[tuple[str, ...], ...]

    def of(self, codes: ObjectCodes, bounds: Float[Tensor, "B 2 3"]) -> Parts:
        """Parts (B, n) of objects, in float32."""
        ...

    def codes(self, parts: Parts) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
        """Codes of all layers, zeros in those that the parts do not make, and boxes."""
        ...


class CodeParts:
    """The tensors of a code as they are, such as one latent vector, and the box.

    >>> parts = CodeParts({"latent": (8,)})
    >>> bounds = torch.tensor([[[-1.0, -1, -1], [1, 1, 1]]])
    >>> {name: tuple(part.shape) for name, part in parts.of(Codes({"latent": torch.zeros(1, 8)}), bounds).items()}
    {'latent': (1, 8), 'box': (1, 6)}
    """

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


def boxes(values: Float[Tensor, "B 6"]) -> Float[Tensor, "B 2 3"]:
    """Low and high corners within [-1, 1]^3, never flat."""
    corners = values.view(-1, 2, 3)
    middle = corners.mean(1).clamp(THINNEST - 1, 1 - THINNEST)
    half = (0.5 * (corners[:, 1] - corners[:, 0])).clamp(min=0.5 * THINNEST)
    return torch.stack([middle - half, middle + half], 1).clamp(-1.0, 1.0)


def whole_codes(shared: SharedPart, level: int | None = None) -> CodeParts:
    """The parts of a family whose codes have one shape, and one layer. Raises ConfigError for any other level."""
    config: Any = shared.family.config
    if level not in (None, len(config.layers)):
        raise ConfigError(f"level {level}: a code of this family is drawn whole")
    return CodeParts(config.code_shapes())


def no_parts(shared: SharedPart, level: int | None = None) -> ObjectParts:
    """Of families whose objects have codes of different shapes. Raises ConfigError."""
    raise ConfigError("a prior needs codes of one shape for all objects: octrees and scenes of grids have none")
