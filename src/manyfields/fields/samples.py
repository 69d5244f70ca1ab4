"""What a field returns at points, and what every field is."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """Density per unit length, and channels (RGB, or those of a latent image).

    >>> import torch
    >>> Samples(torch.zeros(2, 5), torch.zeros(2, 5, 3)).channels.shape
    torch.Size([2, 5, 3])
    """

    density: Float[Tensor, "B N"]
    channels: Float[Tensor, "B N C"]


@runtime_checkable
class Field(Protocol):
    """A function from position (and direction) to density and channels, batched over objects.

    >>> import torch
    >>> class Fog:
    ...     channels = 3
    ...     def __call__(self, points, directions=None):
    ...         return Samples(torch.ones_like(points[..., 0]), points)
    >>> isinstance(Fog(), Field), Fog()(torch.zeros(1, 4, 3)).density
    (True, tensor([[1., 1., 1., 1.]]))
    """

    channels: int

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples: ...
