"""What a field returns at points, and what every field is."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Density per unit length, and channels (RGB, or those of a latent image)."""

    density: Float[Tensor, "B N"]
    channels: Float[Tensor, "B N C"]


@runtime_checkable
class Field(Protocol):
    """A function from position (and direction) to density and channels, batched over objects."""

    channels: int

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples: ...
