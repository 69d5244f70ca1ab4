"""The compiled forms of `plain_march` and of the error of rays, between PyTorch's tensors and numba's arrays."""

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.rendering.texels import FEATURES, Texels, array, arrays, hidden_width, kernel_arguments, texel_width
from manyfields.rendering.tiny_decoder import TinyDecoder

AT_ONCE = 4  # objects, or parts of them, whose gradients are collected side by side at least
AT_ONCE_IN_OCTREES = 2  # likewise: their tables are large, and most of a gradient is zeros


@torch.no_grad()
def march(
    texels: Texels, decoder: TinyDecoder, origins: Tensor, directions: Tensor, distances: Tensor, lengths: Tensor
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`plain_march` without gradients; a ray ends where less than 1e-4 passes."""
    from manyfields.rendering.fused_kernels import march as compiled

    channels = distances.new_zeros(*distances.shape[:2], decoder.channels)
    opacity, depth = distances.new_zeros(distances.shape[:2]), distances.new_zeros(distances.shape[:2])
    rays, written = arrays(origins, directions, distances, lengths), arrays(channels, opacity, depth)
    compiled(*kernel_arguments(texels, decoder), *rays, *written)
    return channels, opacity, depth


@torch.no_grad()
def walk(
    texels: Texels,
    decoder: TinyDecoder,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    bounds: Float[Tensor, "B 2 3"],
    leaps: UInt8[Tensor, "B G G G"],
    of_cell: int,
    seen_through: float,
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`walking.walk` of fields that the kernels march through."""
    from manyfields.rendering.walking_kernels import walk as compiled

    channels = origins.new_zeros(*origins.shape[:2], decoder.channels)
    opacity, depth = origins.new_zeros(origins.shape[:2]), origins.new_zeros(origins.shape[:2])
    rays, written = arrays(origins, directions, bounds, leaps), arrays(channels, opacity, depth)
    compiled(*kernel_arguments(texels, decoder), *rays, of_cell, np.float32(seen_through), *written)
    return channels, opacity, depth


@torch.no_grad()
def densities(texels: Texels, decoder: TinyDecoder, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
    """Densities alone, without gradients."""
    from manyfields.rendering.fused_kernels import densities as compiled

    *places, weight, bias, _, output_weight, output_bias, gain, _, _ = kernel_arguments(texels, decoder)
    found = points.new_empty(points.shape[:2])
    inputs = *places, weight, bias, output_weight, output_bias, gain, *arrays(points, found)
    compiled(*inputs)
    return found


def march_error(
    texels: Texels,
    decoder: TinyDecoder,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
    colors: Float[Tensor, "B R C"],
    scales: Float[Tensor, "B R"],
    background: Float[Tensor, " C"],
    learned: Float[Tensor, "*table G"],
) -> Float[Tensor, ""]:
    """Sum over rays of scale * squared error of their channels, with gradients to `learned` and to the decoder.

    `learned`: of planes those of these objects, all features or the first, of octrees the whole table. The background
    does not learn here.
    """
    return _MarchError.apply(
        learned,
        decoder.hidden_weight,
        decoder.hidden_bias,
        decoder.output_weight,
        decoder.output_bias,
        texels,
        decoder,
        (origins, directions, distances, lengths, colors, scales, background.detach()),
    )


class _MarchError(torch.autograd.Function):
    @staticmethod
    def forward(ctx, learned, hidden_weight, hidden_bias, output_weight, output_bias, texels, decoder, rays):
        from manyfields.rendering.fused_loss_kernel import march_loss

        size, wide = texel_width(texels), hidden_width(decoder)
        objects, features, in_octrees = len(texels.begins), learned.shape[-1], texels.levels > 0
        parts = -(-(AT_ONCE_IN_OCTREES if in_octrees else AT_ONCE) // objects)
        jobs = objects * parts
        padded = -(-features // FEATURES) * FEATURES
        lines = learned.numel() // features
        # Lines of octrees are numbered through all objects.
        back_tables = torch.arange(objects) * (0 if in_octrees else lines // objects)
        back = functional.pad(hidden_weight.detach()[:, :features], (0, padded - features))
        back = functional.pad(back, (0, 0, 0, wide - back.shape[0]))
        losses = torch.zeros(jobs, dtype=torch.float64)
        gradient = torch.zeros(parts, *learned.shape[:-1], padded)
        none = torch.zeros(0)
        hidden_gradient = output_gradient = bias_gradient = ray_gradient = none
        if any(ctx.needs_input_grad[1:5]):
            hidden_gradient = torch.zeros(jobs, size + 1, wide)
            output_gradient = torch.zeros(jobs, len(output_bias), wide)
            bias_gradient = torch.zeros(jobs, len(output_bias))
            if hidden_bias.dim() > 1:
                ray_gradient = torch.zeros(*hidden_bias.shape[:-1], wide)
        flat = (back, losses, gradient, hidden_gradient, ray_gradient, output_gradient, bias_gradient)
        written = [array(tensor).reshape(-1) for tensor in flat]
        march_loss(*kernel_arguments(texels, decoder), *arrays(*rays), parts, back_tables.numpy(), lines, *written)
        gradient = gradient.sum(0) if parts > 1 else gradient[0]
        gradients = [gradient[..., :features].contiguous(), None, None, None, None]
        if len(hidden_gradient):
            hidden, width = hidden_gradient.sum(0), hidden_bias.shape[-1]
            gradients[1] = hidden[: hidden_weight.shape[1], :width].T
            gradients[2] = hidden[-1, :width] if hidden_bias.dim() == 1 else ray_gradient[..., :width]
            gradients[3] = output_gradient.sum(0)[:, :width]
            gradients[4] = bias_gradient.sum(0)
        ctx.gradients = gradients
        return losses.sum().float()

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[override]
        if ctx.gradients is None:
            raise RuntimeError("gradients of march_error were taken already: call it once more")
        # Given away, not kept beside: PyTorch then takes them as they are and does not copy.
        gradients, ctx.gradients = ctx.gradients, None
        scaled = [None if gradient is None else gradient.mul_(upstream) for gradient in gradients]
        return *scaled, None, None, None
