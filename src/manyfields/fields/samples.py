"""What a field returns at points."""

from dataclasses import dataclass

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
