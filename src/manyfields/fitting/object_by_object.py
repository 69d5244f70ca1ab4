"""What the loops have in common that fit objects with fields of their own, which share a small network alone.

`OctreeFitter` and `TensorFitter` say what an object learns; this, how a step draws and renders rays of one object, how
the network learns, and what a checkpoint holds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.errors import RunError
from manyfields.fitting import checkpoints
from manyfields.fitting.data import FittingData, rows_of_step, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN, Guides
from manyfields.fitting.phases import Phase
from manyfields.rendering import Occupancy, Sampler, color_error
from manyfields.shared_part import Pictures, SharedPart


class ObjectLearner(Protocol):
    """What learns of one object."""

    def update(self, rate: float) -> None: ...

    def state(self) -> dict[str, Tensor]: ...


class ObjectByObjectFitter(ABC):
    """Every random choice of a step comes from (seed, phase, step), as in `PlaneFitter`."""

    shared: SharedPart
    data: FittingData
    sampler: Sampler
    seed: int
    optimizer: torch.optim.Optimizer | None
    guides: Guides

    @property
    @abstractmethod
    def learners(self) -> Sequence[ObjectLearner]:
        """One an object."""

    @abstractmethod
    def field(self, row: int) -> Any:
        """The field of one object, with gradients to what it learns and to the network."""

    @abstractmethod
    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""

    def start_network(self, phase: Phase, eps: float) -> None:
        """A fresh optimizer for the network, where it learns in a phase."""
        network = list(self.shared.family.parameters())
        for parameter in network:
            parameter.requires_grad_(phase.fields_rate > 0)
        self.optimizer = None
        if phase.fields_rate:
            self.optimizer = torch.optim.Adam(network, lr=phase.fields_rate, betas=(0.9, 0.99), eps=eps, fused=True)

    def drawn(self, phase: Phase, index: int) -> tuple[int, torch.Generator]:
        """The object of a step, and where its random choices come from."""
        (row,) = rows_of_step(len(self.data), 1, index, stable_seed(self.seed, phase.name))
        return row, torch.Generator().manual_seed(stable_seed(self.seed, phase.name, index))

    def error(self, row: int, field: Any, phase: Phase, index: int, generator: torch.Generator) -> Float[Tensor, ""]:
        """Of the colours of random training pixels of one object, weighted as the phase has it."""
        taken = torch.tensor([row])
        behind = self.data.pool.background(phase.backgrounds, generator)
        rays, colors, weights = self.data.pool.draw(taken, phase.rays_per_object, generator, behind)
        return phase.rgb * color_error(
            field,
            rays,
            colors,
            phase.sampler_of(self.sampler, index),
            bounds=self.data.bounds[taken],
            guide=self.guides.values[taken],
            background=self.shared.background.detach() if behind is None else behind,
            weights=weights,
            generator=generator,
        )

    def learn(self, row: int, phase: Phase, index: int) -> None:
        """Move the network and one object by the gradients that are there."""
        factor = phase.rate_factor(index)
        if self.optimizer is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = phase.fields_rate * factor
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        self.learners[row].update(phase.codes_rate * factor)

    def look(self, row: int, phase: Phase, index: int, generator: torch.Generator, learned: Iterable[Tensor]) -> None:
        """Every few steps: what the guide of an object should know. Raises RunError where its fit has diverged."""
        if index % STEPS_BETWEEN:
            return
        self.guides.refresh(self.field(row), self.data.bounds[[row]], {0: row}, generator)
        if not all(bool(torch.isfinite(tensor.detach().sum())) for tensor in learned):
            raise RunError(
                f"phase {phase.name!r} diverged before step {index}: the codes or the network are no numbers any "
                "more; fit again with lower rates in its phase"
            )

    @torch.no_grad()
    def pictures(self, row: int, cameras: Cameras, sampler: Sampler) -> Pictures:
        """Views (V,) of one object as it is now: a quick look."""
        bounds = self.data.bounds[[row]]
        occupancy = Occupancy.of(self.guides.values[[row]], bounds)
        return self.shared.pictures_of(self.field(row), cameras[None], bounds, sampler, guide=occupancy)

    def run(
        self, phase: Phase, start: int = 0, after_step: Callable[[int, dict[str, float]], bool | None] | None = None
    ) -> None:
        """Steps `start` to the end of a phase that has begun, or until `after_step` says that it is enough."""
        for index in range(start, phase.steps):
            losses = self.step(phase, index)
            if after_step is not None and after_step(index + 1, losses):
                break

    def finish(self, frozen: bool) -> None:
        """Told once the network has learned: there are no codes that others would start from."""
        return

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the seed and the step's number."""
        whole = {
            **checkpoints.pack("shared", self.shared.state_dict()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            "guides": self.guides.values,
        }
        for number, learner in enumerate(self.learners):
            whole.update(checkpoints.pack(f"object {number}", learner.state()))
        return whole

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore the network of `state`."""
        self.shared.load_state_dict(checkpoints.unpack("shared", tensors))

    def load_optimizer(self, tensors: dict[str, Tensor]) -> None:
        """Restore the optimizer of `state`, where the network learns."""
        if self.optimizer is not None:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))
