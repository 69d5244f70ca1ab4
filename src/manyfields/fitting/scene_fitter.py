"""The fitting loop of scenes that own their grids, whatever these are made of, with one network.

A step takes random pixels of one scene and renders them by densities first. What is empty is found out twice: by the
guide, which follows densities and places samples, and by the alpha mask, which ends the matter and is stored.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from manyfields.fields import SceneCodes, SceneField
from manyfields.fitting import checkpoints
from manyfields.fitting.alpha_mask import cell_densities, mask_of
from manyfields.fitting.data import FittingData
from manyfields.fitting.guides import Guides
from manyfields.fitting.object_by_object import ObjectByObjectFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart


@dataclass
class SceneFitter(ObjectByObjectFitter):
    """Fits `scenes`, one an object, and the network of `shared` to `data`.

    The boxes of the objects in `data` are those of their grids. Every random choice of a step comes from (seed, phase,
    step), as in `PlaneFitter`.
    """

    shared: SharedPart
    data: FittingData
    scenes: list[LearnedScene[Any]]
    sampler: Sampler
    schedule: Any
    seed: int = 0
    half: bool = False
    """The network's products of matrices in bf16, which take a quarter of the time where a CPU has them."""
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)
    guides: Guides = field(init=False)

    def __post_init__(self) -> None:
        self.guides = Guides(self.data.objects, self.shared.family.config.guide_side, self.data.device)
        for row, scene in enumerate(self.scenes):
            scene.grids = replace(scene.grids, mask=self.guides.hulls[row])

    @abstractmethod
    def change_grids(self, index: int, steps: int) -> None:
        """What the schedule has for the time just before step `index` of `steps`."""

    @abstractmethod
    def regularity(self, scene: LearnedScene[Any], index: int, steps: int) -> Tensor | None:
        """What the loss has besides the error of rays."""

    @property
    def learners(self) -> list[LearnedScene[Any]]:
        return self.scenes

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: fresh optimizers."""
        self.start_network(phase, eps=1e-8)
        for scene in self.scenes:
            scene.replace(scene.grids)

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        self.change_grids(index, phase.steps)
        row, generator = self.drawn(phase, index)
        scene = self.scenes[row]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            seen = self.error(row, self.field(row), phase, index, generator)
        more = self.regularity(scene, index, phase.steps)
        (seen if more is None else seen + more).backward()
        self.look(row, phase, index, generator, (seen, *scene.grids.tensors))
        self.learn(row, phase, index)
        return {"rgb": seen.item()}

    def field(self, row: int) -> SceneField:
        """The field of one scene, with gradients to its grids and the network."""
        return self.shared.family.field(self.scenes[row].grids.codes())

    def codes_of(self, rows: Sequence[int]) -> SceneCodes:
        """The codes of some scenes as they are now: what is stored."""
        stored = [self.scenes[row].stored() for row in rows]
        return type(stored[0].codes())(tuple(stored))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        for row, scene in enumerate(self.scenes):
            scene.load(checkpoints.unpack(f"object {row}", tensors), optimizer)
            self.move_box(row, tensors["guides"][row])
        if optimizer:
            self.load_optimizer(tensors)

    def mask_now(self, row: int) -> Tensor | None:
        """The alpha mask that the field of a scene has by now; None before anything is learned."""
        grids = self.scenes[row].grids
        densities = cell_densities(self.field(row), grids.box, self.shared.family.config.guide_side)
        mask = mask_of(densities, grids.box) & grids.mask
        # A mask without cells would keep it so.
        return mask if bool(mask.any()) else None

    def move_box(self, row: int, guide: Tensor) -> None:
        """Rays are sampled from now on in the box of the grids, where their mask is."""
        grids = self.scenes[row].grids
        self.data.objects[row].bounds = grids.box
        self.data.bounds[row] = grids.box
        self.guides.replace(row, grids.mask, guide)
