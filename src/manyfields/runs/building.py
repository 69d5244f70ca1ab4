"""New shared parts and fitters from a run's settings, by the family that they are of."""

from collections.abc import Sequence
from typing import Any

import torch

from manyfields.families.family import Family
from manyfields.families.registry import FAMILIES
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.progress import Progress, silent
from manyfields.latents import load_autoencoder
from manyfields.runs.settings import FitSettings
from manyfields.shared_part import SharedPart


def row_of(settings: FitSettings) -> Family:
    """The family of a run."""
    return FAMILIES["mixture" if settings.mixture is not None else settings.family_name]


def device(settings: FitSettings) -> torch.device:
    """Where fitting runs: a GPU where there is one, but octrees and scenes of grids, whose steps are made for CPUs."""
    return torch.device("cuda" if torch.cuda.is_available() and not settings.alone else "cpu")


def latent_stride(settings: FitSettings) -> int:
    """Image pixels along one side of a latent pixel: image sides must divide by it."""
    return 1 if settings.space == "rgb" else load_autoencoder(settings.autoencoder).stride


def new_shared(settings: FitSettings, objects: Sequence[FittingObject]) -> SharedPart:
    """An untrained shared part for the objects of stage 1."""
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, "family"))
    return row_of(settings).new_shared(settings, objects, draw)


def new_fitter(settings: FitSettings, shared: SharedPart, data: Any, average: bool, progress: Progress = silent) -> Any:
    """The family's fitter, a `StageFitter` with new codes: those of the average object, to be fitted against a shared
    part that stays as it is, or others."""
    return row_of(settings).fitter(settings, shared, data, average, progress)
