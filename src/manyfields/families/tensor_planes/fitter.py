"""The fitting loop of tensor fields: grids of each scene, refined and shrunk as they learn, and one network."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.tensor_planes.grids import Factors, TensorGrids
from manyfields.families.tensor_planes.schedule import TensorSchedule
from manyfields.fields import resolution_of
from manyfields.fitting.alpha_mask import box_of, cell_densities, within
from manyfields.fitting.scene_fitter import SceneFitter
from manyfields.fitting.scene_learning import LearnedScene


@dataclass
class TensorFitter(SceneFitter):
    """The boxes of the objects in `data` are those of their grids, and shrink with them."""

    scenes: list[LearnedScene[TensorGrids]]
    schedule: TensorSchedule

    def regularity(self, scene: LearnedScene[TensorGrids], index: int, steps: int) -> Tensor | None:
        schedule, grids = self.schedule, scene.grids
        total = torch.zeros(())
        if sparsity := schedule.sparsity_at(index, steps):
            total = total + sparsity * magnitude(grids.density)
        if schedule.density_variation:
            total = total + schedule.density_variation * variation(grids.density)
        if schedule.appearance_variation:
            total = total + schedule.appearance_variation * variation(grids.appearance)
        return total

    def change_grids(self, index: int, steps: int) -> None:
        """Mask and shrink, then upsample."""
        for row, scene in enumerate(self.scenes):
            if self.schedule.masks_at(index, steps):
                self._shrink(row)
            if (side := self.schedule.side_at(index, steps)) is not None:
                scene.replace(scene.stored().upsampled(resolution_of(scene.grids.box, side)))

    @torch.no_grad()
    def _shrink(self, row: int) -> None:
        scene = self.scenes[row]
        grids, side, mask = scene.stored(), self.shared.family.config.guide_side, self.mask_now(row)
        if mask is None:
            return
        kept = grids.shrunk_box(box_of(mask, grids.box))
        inside = within(mask, grids.box, kept)
        scene.replace(grids.shrunk(kept, inside))
        # Asked again in the cells of the new box, which are smaller.
        density = cell_densities(self.field(row), kept, side)
        self.move_box(row, density.clamp(min=1e-3) * inside)


def magnitude(factors: Factors) -> Float[Tensor, ""]:
    """Sum over planes and vectors of their mean magnitude: TensoRF's L1."""
    return torch.stack([tensor.abs().mean() for tensor in factors.tensors]).sum()


def variation(factors: Factors) -> Float[Tensor, ""]:
    """Total variation of planes, with TensoRF's scale."""
    found = [plane.diff(dim=axis).square().mean() for plane in factors.planes for axis in (0, 1)]
    return 0.02 * torch.stack(found).sum() if found else factors.vectors[0].new_zeros(())
