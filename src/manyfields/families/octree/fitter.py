"""The fitting loop of octree objects: one network, and what `octree_codes` learns of each object.

A step takes random pixels of one object, draws how many of its levels are present (the finest level twice as often as
the one before it, and so on: VQ-AD, section 4.3), and renders them along the fused march.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from manyfields.families.octree.codebooks.indices import (
    PACE,
    IndexOptions,
    LevelIndices,
    levels_of_indices,
    quantise_levels,
    stored_indices,
)
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeField
from manyfields.families.octree.learning import OctreeCode
from manyfields.fitting import checkpoints
from manyfields.fitting.data import FittingData, stable_seed
from manyfields.fitting.guides import Guides
from manyfields.fitting.object_by_object import ObjectByObjectFitter
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

FINER = 2.0  # times as often is a level drawn as the next coarser one


@dataclass
class OctreeFitter(ObjectByObjectFitter):
    """Fits `codes`, one an object, and the network of `shared` to `data`, phase after phase.

    With `indices`, features become indices into codebooks in a phase with `indices`, one level after the other. Every
    random choice of a step comes from (seed, phase, step), as in `PlaneFitter`.
    """

    shared: SharedPart
    data: FittingData
    codes: list[OctreeCode]
    sampler: Sampler
    seed: int = 0
    indices: IndexOptions | None = None
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)
    guides: Guides = field(init=False)

    def __post_init__(self) -> None:
        side = self.shared.family.config.guide_side
        for item, code in zip(self.data.objects, self.codes, strict=True):
            # What rays are sampled in; the pixels to draw were chosen by silhouettes before.
            item.hull = code.tree.occupied(item.bounds, side).to(torch.uint8)
        self.guides = Guides(self.data.objects, side, self.data.device)

    @property
    def learners(self) -> list[OctreeCode]:
        return self.codes

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: a fresh optimizer for the network."""
        self.start_network(phase, eps=1e-15)

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        if phase.indices and self.indices is not None:
            share = 1.0 if index >= phase.steps - 1 else index / phase.steps
            for item, code in zip(self.data.objects, self.codes, strict=True):
                quantise_levels(code, share, self.indices, partial(self._start, item.id))
        row, generator = self.drawn(phase, index)
        odds = FINER ** torch.arange(len(self.shared.family.config.levels)).float()
        level = 1 + int(torch.multinomial(odds, 1, generator=generator))
        loss = self.error(row, self.field(row, level), phase, index, generator)
        loss.backward()
        self.look(row, phase, index, generator, (loss, self.codes[row].table))
        self.learn(row, phase, index)
        return {"rgb": loss.item()}

    def field(self, row: int, level: int | None = None) -> OctreeField:
        """The field of one object, with gradients to its table and the network."""
        code = self.codes[row]
        return self.shared.family.field(OctreeCodes((code.tree,), code.table), level)

    def codes_of(self, rows: Sequence[int]) -> OctreeCodes | QuantisedOctreeCodes:
        """The codes of some objects as they are now: what is stored."""
        taken = [self.codes[row] for row in rows]
        if all(levels_of_indices(code) for code in taken):
            return QuantisedOctreeCodes.concatenate([stored_indices(code) for code in taken])
        return OctreeCodes(tuple(code.tree for code in taken), torch.cat([code.table.detach() for code in taken]))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        self.guides.values.copy_(tensors["guides"])
        for row, code in enumerate(self.codes):
            held = checkpoints.unpack(f"object {row}", tensors)
            for level, shown in enumerate(code.parts):
                if f"{level}.logits" in held and not isinstance(code.levels[level], LevelIndices):
                    assert self.indices is not None
                    code.levels[level] = LevelIndices(shown, self.indices, torch.Generator(), PACE)
            code.load(held)
        if optimizer:
            self.load_optimizer(tensors)

    def _start(self, name: str, level: int) -> torch.Generator:
        return torch.Generator().manual_seed(stable_seed(self.seed, "indices", level, name))
