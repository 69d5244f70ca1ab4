"""What the loss of tensor fields has besides the error of rays."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.fields import Factors


def magnitude(factors: Factors) -> Float[Tensor, ""]:
    """Sum over planes and vectors of their mean magnitude: TensoRF's L1."""
    return torch.stack([tensor.abs().mean() for tensor in factors.tensors]).sum()


def variation(factors: Factors) -> Float[Tensor, ""]:
    """Total variation of planes, with TensoRF's scale."""
    found = [plane.diff(dim=axis).square().mean() for plane in factors.planes for axis in (0, 1)]
    return 0.02 * torch.stack(found).sum() if found else factors.vectors[0].new_zeros(())
