"""A decoder as plain tensors: what the fused kernels take of a field."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TinyDecoder:
    """A network of one hidden layer as plain tensors: features (F) -> hidden (H) -> values (K = 1 + C + D * C).

    Values are density, the means of C channels over directions, and C channels for each of D harmonics.
    """

    hidden_weight: Float[Tensor, "H F"]
    hidden_bias: Float[Tensor, "*rays H"]
    """Of all rays, or (B, R, H): of each, where the hidden layer sees directions."""
    output_weight: Float[Tensor, "K H"]
    output_bias: Float[Tensor, " K"]
    channels: int
    view_degree: int
    gain: float
    """Density is gain * softplus(value - 1)."""
    activation: Literal["relu", "softplus"]
    space: Literal["latent", "rgb"]
    """Channels of "rgb" are 1.002 * sigmoid(value) - 0.001; those of "latent" are the values."""
