"""The fitting loop of octree objects: one network, and what `octree_codes` learns of each object.

A step takes random pixels of one object, draws how many of its levels are present (the finest level twice as often as
the one before it, and so on: VQ-AD, section 4.3), and renders them along the fused march.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.errors import RunError
from manyfields.fields import Octree, OctreeCodes, OctreeFamily, OctreeField
from manyfields.fitting import checkpoints
from manyfields.fitting.data import FittingData, rows_of_step, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN, Guides
from manyfields.fitting.octree_codes import OctreeCode
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler, color_error

FINER = 2.0  # times as often is a level drawn as the next coarser one


@dataclass
class OctreeFitter:
    """Fits `codes`, one an object, and the network of `family` to `data`, phase after phase.

    Every random choice of a step comes from (seed, phase, step), as in `Fitter`. Objects of `data` must have hulls:
    `hull_of` makes them from octrees.
    """

    family: OctreeFamily
    data: FittingData
    codes: Sequence[OctreeCode]
    sampler: Sampler
    seed: int = 0
    draws_levels: bool = True
    background: Float[Tensor, " 3"] = field(default_factory=lambda: torch.ones(3))
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)
    guides: Guides = field(init=False)

    def __post_init__(self) -> None:
        hull = self.data.objects[0].hull
        if hull is None:
            raise ValueError("octree fits need hulls: give objects those of `hull_of`")
        self.guides = Guides(self.data.objects, hull.shape[-1], self.data.device)

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: a fresh optimizer for the network."""
        for parameter in self.family.parameters():
            parameter.requires_grad_(phase.fields_rate > 0)
        self.optimizer = None
        if phase.fields_rate:
            self.optimizer = torch.optim.Adam(
                self.family.parameters(), lr=phase.fields_rate, betas=(0.9, 0.99), eps=1e-15, fused=True
            )

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        generator = torch.Generator().manual_seed(stable_seed(self.seed, phase.name, index))
        (row,) = rows_of_step(len(self.data), 1, index, stable_seed(self.seed, phase.name))
        taken, code = torch.tensor([row]), self.codes[row]
        count = len(self.family.config.levels)
        level = count
        if self.draws_levels:
            level = 1 + int(torch.multinomial(FINER ** torch.arange(count).float(), 1, generator=generator))
        seen = self.field(row, level)
        rays, colors, weights = self.data.pool.draw(taken, phase.rays_per_object, generator)
        loss = phase.rgb * color_error(
            seen,
            rays,
            colors,
            self.sampler.at(index / max(1, phase.steps)),
            bounds=self.data.bounds[taken],
            guide=self.guides.values[taken],
            background=self.background,
            weights=weights,
            generator=generator,
        )
        loss.backward()
        if index % STEPS_BETWEEN == 0:
            self.guides.refresh(self.field(row), self.data.bounds[taken], {0: row}, generator)
            if not bool(torch.isfinite(loss)) or not bool(torch.isfinite(code.table.detach().sum())):
                raise RunError(
                    f"phase {phase.name!r} diverged before step {index}: the codes or the network are no numbers any "
                    "more; fit again with lower rates in its phase"
                )
        factor = phase.rate_factor(index)
        if self.optimizer is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = phase.fields_rate * factor
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        code.update(phase.codes_rate * factor)
        return {"rgb": loss.item()}

    def field(self, row: int, level: int | None = None) -> OctreeField:
        """The field of one object, with gradients to its table and the network."""
        code = self.codes[row]
        return self.family.field(OctreeCodes((code.tree,), code.table), level)

    def run(
        self, phase: Phase, start: int = 0, after_step: Callable[[int, dict[str, float]], None] | None = None
    ) -> None:
        """Steps `start` to the end of a phase that has begun."""
        for index in range(start, phase.steps):
            losses = self.step(phase, index)
            if after_step is not None:
                after_step(index + 1, losses)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the seed and the step's number."""
        whole = {
            **checkpoints.pack("shared", self.family.state_dict()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            "guides": self.guides.values,
        }
        for number, code in enumerate(self.codes):
            whole.update(checkpoints.pack(f"code {number}", code.state()))
        return whole

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore the network of `state`."""
        self.family.load_state_dict(checkpoints.unpack("shared", tensors))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        self.guides.values.copy_(tensors["guides"])
        for number, code in enumerate(self.codes):
            code.load(checkpoints.unpack(f"code {number}", tensors))
        if optimizer and self.optimizer is not None:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))


def hull_of(tree: Octree, bounds: Float[Tensor, "2 3"], side: int) -> UInt8[Tensor, "G G G"]:
    """1 in the cells [x, y, z] of an object's box that touch a voxel of the coarsest level: rays are sampled there."""
    cells = 2**tree.first
    low, high = [], []
    for axis in range(3):
        edges = bounds[0, axis] + (bounds[1, axis] - bounds[0, axis]) * torch.arange(side + 1) / side
        places = (edges + 1.0) * (cells / 2)
        low.append(places[:-1].floor().long().clamp(0, cells - 1))
        high.append((places[1:].ceil().long() - 1).clamp(0, cells - 1))
    filled = tree.occupancy()
    touched = torch.zeros(side, side, side, dtype=torch.bool)
    for corner in range(8):
        x, y, z = ((low if corner >> axis & 1 else high)[axis] for axis in range(3))
        touched |= filled[x][:, y][:, :, z]
    return touched.to(torch.uint8)
