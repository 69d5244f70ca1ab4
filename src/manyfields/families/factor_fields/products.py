"""What factor fields make of a point: the numbers of repeating basis grids times those of coefficients.

The plain form is the reference; numba's twin (`product_kernels.py`) reads all grids in one walk over the points.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.families.factor_fields.grids import KINDS, ONCE, SAWTOOTH, TRIANGLE, FactorGrids, Wave


def factor_products(
    grids: FactorGrids, places: Float[Tensor, "N 3"], frequencies: Sequence[float], wave: Wave
) -> Float[Tensor, "N C"]:
    """Basis times coefficient at `places` in the box (0 and 1 are its faces), level after level.

    A basis grid of frequency f repeats f times along the longest side of the box. Trilinear between texels; places
    outside are moved to the border. Gradients reach the grids, not the places.
    """
    basis, coefficients = read_factors(grids, places, frequencies, wave).chunk(2, -1)
    return basis * coefficients


def read_factors(
    grids: FactorGrids, places: Float[Tensor, "N 3"], frequencies: Sequence[float], wave: Wave
) -> Float[Tensor, "N K"]:
    """The numbers of all basis grids at places, then those of the coefficients."""
    scales = _scales(grids.box, frequencies)
    kinds = [KINDS[wave]] * len(grids.bases) + [ONCE]
    if compiled_for(places, *grids.tensors):
        return _CompiledReads.apply(kinds, scales, places.detach().contiguous(), *grids.tensors)
    inside = places.detach().clamp(0.0, 1.0)
    reads = zip(grids.tensors, scales, kinds, strict=True)
    return torch.cat([_read(volume, _waved(inside * scale, kind)) for volume, scale, kind in reads], -1)


def _scales(box: Float[Tensor, "2 3"], frequencies: Sequence[float]) -> Float[Tensor, "L 3"]:
    """How many times each grid fits into the box, along each axis; the last are the coefficients."""
    size = box[1] - box[0]
    levels = torch.tensor(frequencies, dtype=box.dtype, device=box.device)
    return torch.cat([levels[:, None] * (size / size.amax()), torch.ones_like(box[:1])])


def _waved(at: Float[Tensor, "N 3"], kind: int) -> Float[Tensor, "N 3"]:
    """Places in units of a grid, back into [0, 1]."""
    if kind == SAWTOOTH:
        return at - at.floor()
    if kind == TRIANGLE:
        turned = at - 2.0 * (0.5 * at).floor()
        return torch.minimum(turned, 2.0 - turned)
    return at


def _read(volume: Float[Tensor, "_ _ _ C"], at: Float[Tensor, "N 3"]) -> Float[Tensor, "N C"]:
    """Trilinear; 0 and 1 are the outermost texels."""
    channels = volume.permute(3, 0, 1, 2).unsqueeze(0)
    where = (2.0 * at - 1.0).view(1, 1, 1, -1, 3).to(volume.dtype)
    found = functional.grid_sample(channels, where, padding_mode="border", align_corners=True)
    return found[0, :, 0, 0].T


class _CompiledReads(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kinds: list[int], scales: Tensor, places: Tensor, *volumes: Tensor) -> Tensor:
        from manyfields.families.factor_fields import product_kernels as factor_kernels

        ctx.save_for_backward(scales, places, *volumes)
        ctx.kinds = kinds
        made = places.new_empty(len(places), sum(volume.shape[-1] for volume in volumes))
        factor_kernels.forward(volumes, scales, kinds, places, made)
        return made

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        from manyfields.families.factor_fields import product_kernels as factor_kernels

        scales, places, *volumes = ctx.saved_tensors
        learned = [torch.zeros_like(volume, memory_format=torch.contiguous_format) for volume in volumes]
        factor_kernels.backward(learned, scales, ctx.kinds, places, gradient.float().contiguous())
        return None, None, None, *learned
