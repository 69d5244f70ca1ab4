"""Samples along rays through plane fields, in one go: gather from three planes, tiny decoder, compositing.

    planes, decoder, rays, where on them  ->  channels, opacity, depth

Between the planes and the colour of a ray lie a hundred numbers a sample; written out as tensors they are what a fit
spends its time on. The fused forms keep them in registers and caches, forward and backward: `fused_cpu` (numba) and
`fused_triton` (GPUs). `plain_march` says in PyTorch what they compute, and runs where neither can.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import Field, MixtureField, OctreeField, PlaneField, SceneField
from manyfields.rendering.compositing import compositing_weights
from manyfields.rendering.density_first import density_first_march


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


def is_fused(field: Field, samples: int, *tensors: Tensor) -> bool:
    """Whether `march` has a fused form for this field, so many samples of a ray, and gradients as asked for now."""
    from manyfields.rendering import fused_cpu

    if isinstance(field, SceneField):
        return True
    on_cpu = not torch.is_grad_enabled() and fused_cpu.takes(field, *tensors)
    return on_cpu or (isinstance(field, PlaneField) and _takes_triton(field, samples, *tensors))


def _takes_triton(field: PlaneField, samples: int, *tensors: Tensor) -> bool:
    from manyfields.rendering import fused_triton

    return fused_triton.available(field.table, *tensors) and fused_triton.fits(
        field.table, TinyDecoder.of(field), samples
    )


def march(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`plain_march` by the fastest form there is for this field on this device."""
    from manyfields.rendering import fused_cpu, fused_triton

    rays = (origins, directions, distances, lengths)
    if isinstance(field, SceneField):
        return density_first_march(field, *rays)
    if not torch.is_grad_enabled() and fused_cpu.takes(field, *rays):
        return fused_cpu.march(field, *rays)
    if isinstance(field, PlaneField) and _takes_triton(field, distances.shape[-1], *rays):
        # Products of rounded factors are exact enough to learn from; what is measured or looked at is not rounded.
        precision: fused_triton.Precision = "tf32" if torch.is_grad_enabled() else "ieee"
        decoder = TinyDecoder.of(field)
        return fused_triton.fused_march(field.planes, field.bounds, decoder, *rays, precision=precision)
    return plain_march(field, *rays)


def densities(field: Field, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
    """Densities of a field at points, without gradients: what guides are made of."""
    from manyfields.rendering import fused_cpu

    if fused_cpu.takes(field, points):
        return fused_cpu.densities(field, points)
    with torch.no_grad():
        return field.density(points) if isinstance(field, SceneField) else field(points).density


def march_error(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
    colors: Float[Tensor, "B R C"],
    scales: Float[Tensor, "B R"],
    background: Float[Tensor, " C"],
) -> Float[Tensor, ""]:
    """Sum over rays of scale * squared error against `colors`, over a background that does not learn."""
    from manyfields.rendering import fused_cpu

    rays = (origins, directions, distances, lengths)
    if fused_cpu.takes(field, *rays, colors, scales, background):
        return fused_cpu.march_error(field, *rays, colors, scales, background)
    if isinstance(field, MixtureField) and torch.is_grad_enabled():
        from manyfields.rendering import mixture_steps

        return mixture_steps.march_error(field, *rays, colors, scales, background)
    channels, opacity, _ = march(field, *rays)
    seen = channels + (1.0 - opacity).unsqueeze(-1) * background.detach()
    return (scales.unsqueeze(-1) * (seen - colors).square()).sum()


def plain_march(
    field: Field,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Channels without a background, opacity, and depth of rays, from samples in order along them.

    Each sample stands for a stretch of the ray of its length; one of length 0 counts for nothing. Opacity is the sum of
    the compositing weights, depth their mean distance (0 where opacity is below 1e-6).
    """
    objects, count, samples = distances.shape
    points = origins.unsqueeze(2) + distances.unsqueeze(-1) * directions.unsqueeze(2)
    along = directions.unsqueeze(2).expand_as(points).reshape(objects, -1, 3)
    found = field(points.view(objects, -1, 3), along)
    density, channels = found.density.view(distances.shape), found.channels.view(objects, count, samples, -1)
    return composite(compositing_weights(density, lengths), channels, distances)


def composite(
    weights: Float[Tensor, "B R S"], channels: Float[Tensor, "B R S C"], distances: Float[Tensor, "B R S"]
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Sums over the samples of rays."""
    opacity = weights.sum(-1)
    with torch.autocast(weights.device.type, enabled=False):
        seen = (weights.unsqueeze(-2) @ channels).squeeze(-2)
    return seen, opacity, (weights * distances).sum(-1) / opacity.clamp(min=1e-6)
