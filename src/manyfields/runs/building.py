"""New shared parts and fitters from a run's settings, by the family that they are of."""

from collections.abc import Sequence
from typing import Any

import torch

from manyfields.families.registry import row_of
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import FitSettings
from manyfields.shared_part import SharedPart


def new_shared(settings: FitSettings, objects: Sequence[FittingObject]) -> SharedPart:
    """An untrained shared part for the objects of stage 1."""
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, "family"))
    return row_of(settings).new_shared(settings, objects, draw)


def new_fitter(settings: FitSettings, shared: SharedPart, data: Any, average: bool, progress: Progress = silent) -> Any:
    """The family's fitter, a `StageFitter` with new codes: those of the average object, to be fitted against a shared
    part that stays as it is, or others."""
    return row_of(settings).fitter(settings, shared, data, average, progress)
