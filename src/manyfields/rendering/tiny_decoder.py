"""A decoder as plain tensors: what the fused kernels take of a field."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from manyfields.families.fused_planes.field import PlaneField
from manyfields.families.octree.field import OctreeField


@dataclass(frozen=True)
class TinyDecoder:
    """The decoder of a family as plain tensors: features (F) -> hidden (H) -> values (K = 1 + C + D * C).

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

    @staticmethod
    def of_octree(field: OctreeField, directions: Float[Tensor, "*rays 3"]) -> "TinyDecoder":
        """The network of octree fields for rays in these directions; those of densities alone are 0."""
        family, config = field.family, field.family.config
        bias, weight = family.of_view(directions), family.hidden.weight[:, : config.inputs]
        output = family.output.weight, family.output.bias
        return TinyDecoder(weight, bias, *output, config.channels, 0, config.density_gain, "relu", "rgb")

    @staticmethod
    def of(field: PlaneField) -> "TinyDecoder":
        family, config = field.family, field.family.config
        return TinyDecoder(
            family.hidden.weight,
            family.hidden.bias,
            family.output.weight,
            family.output.bias,
            config.channels,
            config.view_degree,
            config.density_gain,
            config.activation,
            config.space,
        )
