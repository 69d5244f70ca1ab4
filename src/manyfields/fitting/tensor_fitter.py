"""The fitting loop of tensor fields: grids of each scene, refined and shrunk as they learn, and one network.

A step takes random pixels of one scene and renders them by densities first. What is empty is found out twice: by the
guide, which follows densities and places samples, and by the alpha mask, which ends the matter and is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from manyfields.fields import TensorCodes, TensorField, resolution_of
from manyfields.fitting import checkpoints
from manyfields.fitting.alpha_mask import box_of, cell_densities, mask_of, within
from manyfields.fitting.data import FittingData
from manyfields.fitting.guides import Guides
from manyfields.fitting.own_fields import OwnFieldsFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.tensor_learning import Scene, magnitude, variation
from manyfields.fitting.tensor_schedule import TensorSchedule
from manyfields.latents import SharedPart
from manyfields.rendering import Sampler


@dataclass
class TensorFitter(OwnFieldsFitter):
    """Fits `scenes`, one an object, and the network of `shared` to `data`.

    The boxes of the objects in `data` are those of their grids, and shrink with them. Every random choice of a step
    comes from (seed, phase, step), as in `Fitter`.
    """

    shared: SharedPart
    data: FittingData
    scenes: list[Scene]
    sampler: Sampler
    schedule: TensorSchedule
    seed: int = 0
    half: bool = False
    """The network's products of matrices in bf16, which take a quarter of the time where a CPU has them."""
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)
    guides: Guides = field(init=False)

    def __post_init__(self) -> None:
        self.guides = Guides(self.data.objects, self.shared.family.config.guide_side, self.data.device)
        for row, scene in enumerate(self.scenes):
            scene.grids = replace(scene.grids, mask=self.guides.hulls[row])

    @property
    def learners(self) -> list[Scene]:
        return self.scenes

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: fresh optimizers."""
        self.start_network(phase, eps=1e-8)
        for scene in self.scenes:
            scene.replace(scene.grids)

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        self._change_grids(index, phase.steps)
        row, generator = self.drawn(phase, index)
        scene = self.scenes[row]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            seen = self.error(row, self.field(row), phase, index, generator)
        (seen + self._regularity(scene, index, phase.steps)).backward()
        self.look(row, phase, index, generator, (seen, *scene.grids.tensors))
        self.learn(row, phase, index)
        return {"rgb": seen.item()}

    def field(self, row: int) -> TensorField:
        """The field of one scene, with gradients to its grids and the network."""
        return self.shared.family.field(TensorCodes((self.scenes[row].grids,)))

    def codes_of(self, rows: Sequence[int]) -> TensorCodes:
        """The codes of some scenes as they are now: what is stored."""
        return TensorCodes(tuple(self.scenes[row].stored() for row in rows))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        for row, scene in enumerate(self.scenes):
            scene.load(checkpoints.unpack(f"object {row}", tensors), optimizer)
            self._move_box(row, tensors["guides"][row])
        if optimizer:
            self.load_optimizer(tensors)

    def _regularity(self, scene: Scene, index: int, steps: int) -> Tensor:
        """What the loss has besides the error of rays."""
        schedule, grids = self.schedule, scene.grids
        total = torch.zeros(())
        if sparsity := schedule.sparsity_at(index, steps):
            total = total + sparsity * magnitude(grids.density)
        if schedule.density_variation:
            total = total + schedule.density_variation * variation(grids.density)
        if schedule.appearance_variation:
            total = total + schedule.appearance_variation * variation(grids.appearance)
        return total

    def _change_grids(self, index: int, steps: int) -> None:
        """What the schedule has for the time just before a step: mask and shrink, then upsample."""
        for row, scene in enumerate(self.scenes):
            if self.schedule.masks_at(index, steps):
                self._shrink(row)
            if (side := self.schedule.side_at(index, steps)) is not None:
                scene.replace(scene.stored().upsampled(resolution_of(scene.grids.box, side)))

    @torch.no_grad()
    def _shrink(self, row: int) -> None:
        scene = self.scenes[row]
        grids, side = scene.stored(), self.shared.family.config.guide_side
        mask = mask_of(cell_densities(self.field(row), grids.box, side), grids.box) & grids.mask
        if not bool(mask.any()):
            return  # Nothing is learned yet: a mask without cells would keep it so.
        kept = grids.shrunk_box(box_of(mask, grids.box))
        inside = within(mask, grids.box, kept)
        scene.replace(grids.shrunk(kept, inside))
        # Asked again in the cells of the new box, which are smaller.
        density = cell_densities(self.field(row), kept, side)
        self._move_box(row, density.clamp(min=1e-3) * inside)

    def _move_box(self, row: int, guide: Tensor) -> None:
        """Rays are sampled from now on in the box of the grids, where their mask is."""
        grids = self.scenes[row].grids
        self.data.objects[row].bounds = grids.box
        self.data.bounds[row] = grids.box
        self.guides.replace(row, grids.mask, guide)
