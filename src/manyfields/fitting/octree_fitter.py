"""The fitting loop of octree objects: one network, and what `octree_codes` learns of each object.

A step takes random pixels of one object, draws how many of its levels are present (the finest level twice as often as
the one before it, and so on: VQ-AD, section 4.3), and renders them along the fused march.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.errors import RunError
from manyfields.fields import OctreeCodes, OctreeField, QuantisedOctreeCodes
from manyfields.fitting import checkpoints
from manyfields.fitting.data import FittingData, rows_of_step, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN, Guides
from manyfields.fitting.level_indices import (
    PACE,
    IndexOptions,
    LevelIndices,
    levels_of_indices,
    quantise_levels,
    stored_indices,
)
from manyfields.fitting.octree_learning import OctreeCode
from manyfields.fitting.phases import Phase
from manyfields.latents import Pictures, SharedPart
from manyfields.rendering import Sampler, color_error

FINER = 2.0  # times as often is a level drawn as the next coarser one


@dataclass
class OctreeFitter:
    """Fits `codes`, one an object, and the network of `shared` to `data`, phase after phase.

    With `indices`, features become indices into codebooks in a phase with `indices`, one level after the other. Every
    random choice of a step comes from (seed, phase, step), as in `Fitter`.
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

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: a fresh optimizer for the network."""
        network = list(self.shared.family.parameters())
        for parameter in network:
            parameter.requires_grad_(phase.fields_rate > 0)
        self.optimizer = None
        if phase.fields_rate:
            self.optimizer = torch.optim.Adam(network, lr=phase.fields_rate, betas=(0.9, 0.99), eps=1e-15, fused=True)

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        if phase.indices and self.indices is not None:
            share = 1.0 if index >= phase.steps - 1 else index / phase.steps
            for item, code in zip(self.data.objects, self.codes, strict=True):
                quantise_levels(code, share, self.indices, partial(self._start, item.id))
        generator = torch.Generator().manual_seed(stable_seed(self.seed, phase.name, index))
        (row,) = rows_of_step(len(self.data), 1, index, stable_seed(self.seed, phase.name))
        taken, code = torch.tensor([row]), self.codes[row]
        odds = FINER ** torch.arange(len(self.shared.family.config.levels)).float()
        level = 1 + int(torch.multinomial(odds, 1, generator=generator))
        seen = self.field(row, level)
        rays, colors, weights = self.data.pool.draw(taken, phase.rays_per_object, generator)
        loss = phase.rgb * color_error(
            seen,
            rays,
            colors,
            self.sampler.at(index / max(1, phase.steps)),
            bounds=self.data.bounds[taken],
            guide=self.guides.values[taken],
            background=self.shared.background,
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
        return self.shared.family.field(OctreeCodes((code.tree,), code.table), level)

    def codes_of(self, rows: Sequence[int]) -> OctreeCodes | QuantisedOctreeCodes:
        """The codes of some objects as they are now: what is stored."""
        taken = [self.codes[row] for row in rows]
        if all(levels_of_indices(code) for code in taken):
            return QuantisedOctreeCodes.concatenate([stored_indices(code) for code in taken])
        return OctreeCodes(tuple(code.tree for code in taken), torch.cat([code.table.detach() for code in taken]))

    @torch.no_grad()
    def pictures(self, row: int, cameras: Cameras, sampler: Sampler) -> Pictures:
        """Views (V,) of one object as it is now: a quick look."""
        index = [row]
        bounds, guide = self.data.bounds[index], self.guides.values[index]
        return self.shared.pictures_of(self.field(row), cameras[None], bounds, sampler, guide=guide)

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
            **checkpoints.pack("shared", self.shared.state_dict()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            "guides": self.guides.values,
        }
        for number, code in enumerate(self.codes):
            whole.update(checkpoints.pack(f"code {number}", code.state()))
        return whole

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore the network of `state`."""
        self.shared.load_state_dict(checkpoints.unpack("shared", tensors))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        self.guides.values.copy_(tensors["guides"])
        for row, code in enumerate(self.codes):
            held = checkpoints.unpack(f"code {row}", tensors)
            for level, shown in enumerate(code.parts):
                if f"{level}.logits" in held and not isinstance(code.levels[level], LevelIndices):
                    assert self.indices is not None
                    code.levels[level] = LevelIndices(shown, self.indices, torch.Generator(), PACE)
            code.load(held)
        if optimizer and self.optimizer is not None:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))

    def _start(self, name: str, level: int) -> torch.Generator:
        return torch.Generator().manual_seed(stable_seed(self.seed, "indices", level, name))
