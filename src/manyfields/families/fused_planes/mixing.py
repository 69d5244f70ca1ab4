"""Planes mixed by compiled kernels, with gradients: between PyTorch's tensors and `mixing_kernels`."""

import torch
from torch import Tensor


class CompiledMix(torch.autograd.Function):
    """Planes (B, 3, H, W, G + F) of micro planes, base planes, weights by feature (B, M, F) and bias (B, 1)."""

    @staticmethod
    def forward(ctx, micro: Tensor, base: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        from manyfields.families.fused_planes.mixing_kernels import mix

        ctx.save_for_backward(base, weights)
        objects, _, height, width, own = micro.shape
        lines = (objects, 3 * height, width)
        planes = micro.new_empty(*lines, own + base.shape[-1])
        flat = (micro.reshape(*lines, own), base.reshape(len(base), 3 * height, -1), weights, bias.reshape(-1))
        mix(*[tensor.detach().contiguous().numpy() for tensor in flat], planes.numpy())  # type: ignore[call-arg]
        return planes.view(objects, 3, height, width, -1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        from manyfields.families.fused_planes.mixing_kernels import JOBS, unmix

        base, weights = ctx.saved_tensors
        objects, _, height, width, features = gradient.shape
        own, lines = features - base.shape[-1], (objects, 3 * height, width)
        micro = gradient.new_empty(*gradient.shape[:-1], own)
        base_gradient = torch.zeros_like(base)
        parts, bias = gradient.new_zeros(JOBS, *weights.shape), gradient.new_zeros(JOBS, objects)
        read = (gradient.reshape(*lines, -1), base.reshape(len(base), 3 * height, -1), weights)
        written = (micro.view(*lines, own), base_gradient.view(len(base), 3 * height, -1), parts, bias)
        unmix(*[tensor.detach().contiguous().numpy() for tensor in read], *[tensor.numpy() for tensor in written])
        return micro, base_gradient, parts.sum(0), bias.sum(0).unsqueeze(-1)
