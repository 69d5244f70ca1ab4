"""The fitting loop of factor fields: their grids keep their sizes and their boxes; only what is empty is masked."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from manyfields._checks import check_numbers
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.grids import FactorGrids
from manyfields.fitting.alpha_mask import cell_densities
from manyfields.fitting.phases import Shares, falls_on
from manyfields.fitting.scene_fitter import SceneFitter
from manyfields.fitting.scene_learning import LearnedScene


@dataclass(frozen=True)
class FactorSchedule:
    """When a fit of factor fields masks what is empty. The default is that of the authors."""

    mask_at: Shares = (2.5 / 30, 4 / 30)
    """Shares of a phase's steps."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if any(not 0.0 < share < 1.0 for share in self.mask_at):
            raise ConfigError(f"mask_at {self.mask_at}: shares of the steps, between 0 and 1")

    def masks_at(self, index: int, steps: int) -> bool:
        """Whether what is empty is masked just before step `index`."""
        return any(falls_on(share, index, steps) for share in self.mask_at)


@dataclass
class FactorFitter(SceneFitter):
    """Boxes stay as they are: basis grids repeat from one corner of them."""

    scenes: list[LearnedScene[FactorGrids]]
    schedule: FactorSchedule

    def regularity(self, scene: LearnedScene[FactorGrids], index: int, steps: int) -> Tensor | None:
        return None

    @torch.no_grad()
    def change_grids(self, index: int, steps: int) -> None:
        if not self.schedule.masks_at(index, steps):
            return
        for row, scene in enumerate(self.scenes):
            if (mask := self.mask_now(row)) is None:
                continue
            scene.grids = replace(scene.grids, mask=mask)
            density = cell_densities(self.field(row), scene.grids.box, len(mask))
            self.move_box(row, density.clamp(min=1e-3) * mask)
