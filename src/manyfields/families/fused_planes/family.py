"""The family of fused planes, as the registry lists it."""

from collections.abc import Sequence

import torch

from manyfields.families.family import Family
from manyfields.families.float16 import Float16Codec
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.parts import FusedParts
from manyfields.families.fused_planes.settings import PRESETS, FusedPlanesSettings
from manyfields.families.fused_planes.start_from_hull import weights_from_hulls
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import takes_half
from manyfields.latents import load_autoencoder
from manyfields.shared_part import SharedPart

OBJECTS_TO_WHITEN = 32


def new_shared(
    settings: FusedPlanesSettings, objects: Sequence[FittingObject], generator: torch.Generator
) -> SharedPart:
    """An untrained family, with the autoencoder of the settings.

    A published autoencoder, whose latents nobody has whitened, is whitened on views of these objects.
    """
    autoencoder = None if settings.space == "rgb" else load_autoencoder(settings.autoencoder)
    if autoencoder is not None and autoencoder.needs_whitening:
        step = max(1, len(objects) // OBJECTS_TO_WHITEN)
        autoencoder.whiten(torch.cat([item.images[:4] for item in objects[::step]]).cpu().float() / 255.0)
    channels = 3 if autoencoder is None else autoencoder.channels
    shared = SharedPart(FusedPlanes(settings.config(len(objects), channels), generator), autoencoder)
    shared.set_background()
    return shared


def new_fitter(
    settings: FusedPlanesSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> PlaneFitter:
    """A fitter with random codes, or those of the average object, whose weights may start from its hull."""
    shared, family = shared.to(data.device), shared.family
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, "codes", *(item.id for item in data.objects)))
    codes = family.average_codes(len(data)) if average else family.new_codes(len(data), draw)
    half = takes_half(settings, data.device)
    fitter = PlaneFitter(shared, data, CodeStore(codes.to(data.device)), settings.sampler, settings.seed, half)
    if average and settings.start == "hull" and fitter.guides is not None:
        fitter.store.codes.update(weights_from_hulls(family, data, fitter.guides.hulls, settings.seed))
    return fitter


FAMILY = Family(
    name="fused-planes",
    config=FusedPlanesConfig,
    network=FusedPlanes,
    settings=FusedPlanesSettings,
    presets=PRESETS,
    shares="set",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(Float16Codec, TransformMicroCodec, VqMicroCodec),
    parts=FusedParts,
)
