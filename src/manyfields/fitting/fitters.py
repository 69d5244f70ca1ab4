"""What fits the objects of a stage, as trainers and run folders see it: phases, steps, state, codes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingData
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.shared_part import Pictures, SharedPart


class Named(Protocol):
    """An object of a stage, by the name that it is stored under."""

    @property
    def id(self) -> str: ...


class NamedData(Protocol):
    @property
    def objects(self) -> Sequence[Named]: ...


class StageData(NamedData, Protocol):
    """The objects of a stage or wave, as they are drawn from."""

    def __len__(self) -> int: ...
    @property
    def views(self) -> int:
        """What an epoch sees: training views of all objects together, or each instance once."""
        ...


class TrainedFitter(Protocol):
    """What a trainer needs to know of what it runs."""

    @property
    def data(self) -> NamedData: ...
    def begin(self, phase: Phase) -> None:
        """Prepare for a phase."""
        ...

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        ...

    def run(
        self, phase: Phase, start: int = 0, after_step: Callable[[int, dict[str, float]], bool | None] | None = None
    ) -> None:
        """Steps `start` to the end of a phase that has begun, or until `after_step` says that it is enough."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the seed and the step's number."""
        ...

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `begin` depends on."""
        ...

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin`; without `optimizer` where it is that of a phase done."""
        ...


class StageFitter(TrainedFitter, Protocol):
    """What fits the objects of a stage, or of a wave: the fitters of all families."""

    @property
    def shared(self) -> SharedPart: ...
    @property
    def data(self) -> StageData: ...
    def finish(self, frozen: bool) -> None:
        """Told once the shared part has learned: what new codes start from is remembered.

        `frozen`: it stays as it is from now on, so that codes may be turned to suit that.
        """
        ...

    def codes_of(self, rows: Sequence[int]) -> ObjectCodes:
        """The codes of some objects as they are now: what is stored."""
        ...


class ViewFitter(StageFitter, Protocol):
    """What fits objects to their views."""

    @property
    def data(self) -> FittingData: ...
    def pictures(self, row: int, cameras: Cameras, sampler: Sampler) -> Pictures:
        """Views (V,) of one object as it is now: a quick look."""
        ...
