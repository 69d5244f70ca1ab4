"""How near images or voxels are to what they were made from: PSNR, and intersection over union."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.rendering.solids import SOLID


def iou(found: Float[Tensor, "B P 1"], truth: Float[Tensor, "B P 1"]) -> Float[Tensor, " B"]:
    """Voxels that are solid in both, of those that are in either; 1 where both are empty.

    >>> iou(torch.tensor([[[0.9], [0.8], [0.1]]]), torch.tensor([[[1.0], [0.0], [0.0]]]))
    tensor([0.5000])
    """
    first, second = found.flatten(1) > SOLID, truth.flatten(1) > SOLID
    union = (first | second).sum(1)
    return torch.where(union > 0, (first & second).sum(1) / union.clamp(min=1), 1.0)


def psnr(found: Float[Tensor, "B P K"], truth: Float[Tensor, "B P K"]) -> Float[Tensor, " B"]:
    """Of values in [0, 1]; at most 100 dB."""
    error = (found.clamp(0.0, 1.0) - truth).square().mean((1, 2))
    return -10.0 * torch.log10(error.clamp(min=1e-10))


def instance_scores(found: Float[Tensor, "B P K"], truth: Float[Tensor, "B P K"]) -> list[dict[str, float]]:
    """`psnr` of each of B instances, and `iou` of voxels (K = 1), at all P cells of the grid."""
    of_each = {"psnr": psnr(found, truth).tolist()}
    if truth.shape[-1] == 1:
        of_each["iou"] = iou(found, truth).tolist()
    return [dict(zip(of_each, each, strict=True)) for each in zip(*of_each.values(), strict=True)]
