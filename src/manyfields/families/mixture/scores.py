"""How near images or voxels are to what they were made from: PSNR, and intersection over union."""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_data import SignalData

POINTS_AT_ONCE = 1 << 17
SOLID = 0.5  # occupancy from which a voxel is solid


def iou(found: Float[Tensor, "B P 1"], truth: Float[Tensor, "B P 1"]) -> Float[Tensor, " B"]:
    """Voxels that are solid in both, of those that are in either; 1 where both are empty."""
    first, second = found.flatten(1) > SOLID, truth.flatten(1) > SOLID
    union = (first | second).sum(1)
    return torch.where(union > 0, (first & second).sum(1) / union.clamp(min=1), 1.0)


def psnr(found: Float[Tensor, "B P K"], truth: Float[Tensor, "B P K"]) -> Float[Tensor, " B"]:
    """Of values in [0, 1]; at most 100 dB."""
    error = (found.clamp(0.0, 1.0) - truth).square().mean((1, 2))
    return -10.0 * torch.log10(error.clamp(min=1e-10))


@torch.no_grad()
def instance_scores(family: MixtureFamily, latents: Float[Tensor, "B H"], data: SignalData) -> list[dict[str, float]]:
    """`psnr` of each of the B instances of `data`, and `iou` of voxels, at all cells of the grid."""
    scores: list[dict[str, float]] = []
    for rows in torch.arange(len(data), device=data.device).split(max(1, POINTS_AT_ONCE // len(data.points))):
        points, truth = data.whole(rows)
        found = family.values(latents[rows], points)
        of_each = {"psnr": psnr(found, truth).tolist()}
        if data.dimensions == 3:
            of_each["iou"] = iou(found, truth).tolist()
        scores += [dict(zip(of_each, each, strict=True)) for each in zip(*of_each.values(), strict=True)]
    return scores
