"""New shared parts and fitters from a run's settings."""

import torch

from manyfields.fields import FusedPlanes
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, stable_seed
from manyfields.fitting.fitter import Fitter, has_fast_bf16
from manyfields.latents import SharedPart, load_autoencoder
from manyfields.runs.record import RunRecord
from manyfields.runs.settings import FitSettings


def new_shared(settings: FitSettings, stage1_objects: int) -> SharedPart:
    """An untrained family for this many stage-1 objects, with the autoencoder of the settings."""
    autoencoder = None if settings.space == "rgb" else load_autoencoder(settings.autoencoder)
    generator = torch.Generator().manual_seed(stable_seed(settings.seed, "family"))
    channels = 3 if autoencoder is None else autoencoder.channels
    shared = SharedPart(FusedPlanes(settings.family(stage1_objects, channels), generator), autoencoder)
    shared.set_background()
    return shared


def new_fitter(record: RunRecord, shared: SharedPart, data: FittingData, average: bool) -> Fitter:
    """A fitter with new codes: random ones, or those of the average object."""
    settings = record.settings
    generator = torch.Generator().manual_seed(stable_seed(settings.seed, "codes", *(item.id for item in data.objects)))
    family = shared.family
    codes = family.average_codes(len(data)) if average else family.new_codes(len(data), generator)
    half = settings.precision == "bf16" or (settings.precision == "auto" and has_fast_bf16(data.device))
    return Fitter(shared, data, CodeStore(codes), settings.sampler, settings.seed, half)
