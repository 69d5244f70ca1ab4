"""Products of planes and vectors at points: what the features of tensor fields are made of.

The plain forms are the reference; numba's twin (`product_kernels.py`) reads 16 components at once and keeps nothing in
between.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.families.tensor_planes.grids import Factors
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, VECTOR_AXES

LANES = 16


def products(factors: Factors, places: Float[Tensor, "N 3"]) -> Float[Tensor, "N K"]:
    """Products at `places` in the box (0 and 1 are its faces): K = 3 C numbers of VM, pair after pair; C of CP.

    Bilinear between texels of planes, linear between those of vectors; places outside are moved to the border.
    Gradients reach the factors, not the places.
    """
    if compiled_for(places, *factors.tensors):
        made = _CompiledProducts.apply(False, places.detach().contiguous(), *_whole_lanes(factors))
        count = factors.components
        return made if count % LANES == 0 else made.unflatten(1, (len(factors.planes) or 1, -1))[..., :count].flatten(1)
    if not factors.planes:
        z, y, x = (_on_line(v, places[:, a]) for v, a in zip(factors.vectors, VECTOR_AXES, strict=True))
        return z * y * x
    pairs = [
        _on_plane(factors.planes[n], places[:, COLUMN_AXES[n]], places[:, ROW_AXES[n]])
        * _on_line(factors.vectors[n], places[:, VECTOR_AXES[n]])
        for n in range(3)
    ]
    return torch.cat(pairs, -1)


def summed_products(factors: Factors, places: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
    """The sum of `products`."""
    if compiled_for(places, *factors.tensors):
        return _CompiledProducts.apply(True, places.detach().contiguous(), *_whole_lanes(factors))
    return products(factors, places).sum(-1)


def _whole_lanes(factors: Factors) -> list[Tensor]:
    """Planes and vectors with zeros up to a multiple of 16 components: many times faster than the plain form."""
    missing = -factors.components % LANES
    return [functional.pad(tensor, (0, missing)) if missing else tensor for tensor in factors.tensors]


def _on_plane(
    plane: Float[Tensor, "H W C"], columns: Float[Tensor, " N"], rows: Float[Tensor, " N"]
) -> Float[Tensor, "N C"]:
    left, x = texels_between(columns, plane.shape[1])
    top, y = texels_between(rows, plane.shape[0])
    above = plane[top, left] * (1 - x) + plane[top, left + 1] * x
    below = plane[top + 1, left] * (1 - x) + plane[top + 1, left + 1] * x
    return above * (1 - y) + below * y


def _on_line(vector: Float[Tensor, "L C"], places: Float[Tensor, " N"]) -> Float[Tensor, "N C"]:
    low, share = texels_between(places, len(vector))
    return vector[low] * (1 - share) + vector[low + 1] * share


def texels_between(places: Float[Tensor, " N"], texels: int) -> tuple[Int[Tensor, " N"], Float[Tensor, "N 1"]]:
    """The texel before each place, and the share of the one after it."""
    at = places.clamp(0.0, 1.0) * (texels - 1)
    low = at.long().clamp(max=texels - 2)
    return low, (at - low).unsqueeze(-1)


class _CompiledProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, summed: bool, places: Tensor, *tensors: Tensor) -> Tensor:
        from manyfields.families.tensor_planes import product_kernels as tensor_kernels

        ctx.save_for_backward(places, *tensors)
        ctx.summed = summed
        width = tensors[0].shape[-1] * (3 if len(tensors) == 6 else 1)
        made = places.new_empty(len(places)) if summed else places.new_empty(len(places), width)
        tensor_kernels.forward(tensors, places, made, summed)
        return made

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        from manyfields.families.tensor_planes import product_kernels as tensor_kernels

        places, *tensors = ctx.saved_tensors
        learned = [torch.zeros_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors]
        tensor_kernels.backward(tensors, places, gradient.contiguous(), learned, ctx.summed)
        return None, None, *learned
