"""The fitting loop of objects that share what they can: steps for the shared part and the codes of a stage or wave.

`PlaneFitter` (fused planes), `MixtureFitter` and `InstanceFitter` say which parts learn, what is made of a code, and
what is compared with what; this, how a step draws objects, moves what learns, and what a checkpoint holds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from manyfields.errors import RunError
from manyfields.fields import Codes
from manyfields.fitting import checkpoints
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import rows_of_step, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart


class StageObjects(Protocol):
    """The objects of a stage or wave, whatever is known of each."""

    device: torch.device

    def __len__(self) -> int: ...


D = TypeVar("D", bound=StageObjects)


@dataclass(frozen=True)
class Step:
    """What a step draws: objects, their codes as leaves that collect gradients, and where other choices come from."""

    phase: Phase
    index: int
    rows: list[int]
    taken: Tensor
    """`rows` on the device."""
    codes: Codes
    generator: torch.Generator


@dataclass(frozen=True)
class Seen:
    """What a step made of it: fields, losses, and the guides (by object of the step) that its fields tell all about."""

    field: Any
    losses: dict[str, Tensor]
    whole: dict[int, int]


@dataclass
class SetFitter(ABC, Generic[D]):
    """Fits `store` (codes) and the learning parts of `shared` to `data`, phase after phase.

    Every random choice of a step comes from (seed, phase, step), so the state after a step depends on the state before
    it and nothing else: a run resumed from any checkpoint ends with the same bits on the same machine.
    """

    shared: SharedPart[Any]
    data: D
    store: CodeStore
    sampler: Sampler
    seed: int = 0
    half: bool = False
    """Mixed precision: networks in bf16, compositing and codes in float32."""
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)

    @abstractmethod
    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        """What learns of the shared part, by name, and how fast (0: not at all)."""

    @abstractmethod
    def look(self, step: Step) -> Seen:
        """Render what a step drew and compare."""

    def taught(self, step: Step, seen: Seen) -> None:
        """Told every few steps, once gradients are known and before anything moves, what a step has seen."""
        return

    def moved(self, taken: Tensor) -> None:
        """Told after a step which objects' codes have moved."""
        return

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: which parts learn, and a fresh optimizer."""
        groups = []
        for name, (parameters, rate) in self.parts(phase).items():
            for parameter in parameters:
                parameter.requires_grad_(rate > 0)
            if rate > 0 and parameters:
                groups.append({"params": parameters, "lr": rate, "rate": rate, "name": name})
        device = self.data.device.type
        fused = device in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), fused=fused) if groups else None
        self.store.reset_moments()

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        generator = torch.Generator().manual_seed(stable_seed(self.seed, phase.name, index))
        rows = rows_of_step(len(self.data), phase.objects_per_step, index, stable_seed(self.seed, phase.name))
        taken = torch.tensor(rows, device=self.data.device)
        codes = self.store.take(taken)
        drawn = Step(phase, index, rows, taken, codes, generator)
        seen = self.look(drawn)
        torch.stack(list(seen.losses.values())).sum().backward()
        if index % STEPS_BETWEEN == 0:
            self.taught(drawn, seen)
            self._check_finite(codes, phase, index)
        factor = phase.rate_factor(index)
        if self.optimizer is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = group["rate"] * factor
            if phase.gradient_norm:
                shared = [one for group in self.optimizer.param_groups for one in group["params"]]
                torch.nn.utils.clip_grad_norm_(shared, phase.gradient_norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        self.store.update(taken, codes, {name: rate * factor for name, rate in phase.rates_of_codes.items()})
        self.moved(taken)
        return {name: value.item() for name, value in seen.losses.items()}

    def _check_finite(self, codes: Codes, phase: Phase, index: int) -> None:
        """Compiled kernels render something even of what is no number: a fit that has diverged must not look well."""
        learned = [codes.tensors[name] for name in self.store.first]
        for tensor in (*learned, *self.shared.family.parameters()):
            if not bool(torch.isfinite(tensor.detach().sum())):
                raise RunError(
                    f"phase {phase.name!r} diverged before step {index}: codes or the shared part are no numbers any "
                    "more; fit again with lower rates in its phase"
                )

    def run(
        self, phase: Phase, start: int = 0, after_step: Callable[[int, dict[str, float]], bool | None] | None = None
    ) -> None:
        """Steps `start` to the end of a phase that has begun, or until `after_step` says that it is enough."""
        for index in range(start, phase.steps):
            losses = self.step(phase, index)
            if after_step is not None and after_step(index + 1, losses):
                break

    def finish(self, frozen: bool) -> None:
        """Told once the shared part has learned: it remembers the average code, from which new ones start.

        Against a shared part that is `frozen` from now on, codes are balanced.
        """
        self.shared.family.remember_average(self.store.all())
        if frozen:
            self.store.codes.update(self.shared.family.balance(self.store.all()).tensors)

    def codes_of(self, rows: Sequence[int]) -> Codes:
        """The codes of some objects as they are now."""
        return self.store.all()[rows]

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the seed and the step's number."""
        return {
            **checkpoints.pack("shared", self.shared.state_dict()),
            **checkpoints.pack("codes", self.store.state()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
        }

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore the shared part of `state`: what `begin` prepares depends on it."""
        self.shared.load_state_dict(checkpoints.unpack("shared", tensors))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        self.store.load(checkpoints.unpack("codes", tensors))
        if not optimizer:
            self.store.reset_moments()
        elif self.optimizer is not None:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))
