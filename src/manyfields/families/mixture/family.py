"""The family of mixtures of implicit functions, as the registry lists it: scenes, images and voxels."""

from collections.abc import Sequence

import torch

from manyfields.families.family import Family, Seen
from manyfields.families.float16 import Float16Codec
from manyfields.families.mixture.coloured_hulls import coloured_hulls
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.fitter import MixtureFitter
from manyfields.families.mixture.instance_fitter import InstanceFitter
from manyfields.families.mixture.instance_pictures import instance_seen
from manyfields.families.mixture.presets import PRESETS
from manyfields.families.mixture.principal_start import principal_coordinates
from manyfields.families.mixture.settings import InstanceSettings, MixtureSettings, SceneMixtureSettings
from manyfields.families.parts import whole_codes
from manyfields.fields import Codes
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import takes_half
from manyfields.shared_part import SharedPart


def new_shared(settings: MixtureSettings, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart:
    """Untrained networks and projection."""
    return SharedPart(MixtureFamily(settings.config(), generator), None)


def new_fitter(
    settings: MixtureSettings, shared: SharedPart, data: FittingData | InstanceData, average: bool, progress: Progress
) -> MixtureFitter | InstanceFitter:
    """A fitter with random codes, principal coordinates, or the codes of the average object."""
    shared, family = shared.to(data.device), shared.family
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, "codes", *(item.id for item in data.objects)))
    half = takes_half(settings, data.device)
    if isinstance(data, InstanceData):
        assert isinstance(settings, InstanceSettings)
        if average:
            codes = family.average_codes(len(data))
        elif settings.adaptation == "principal":
            codes = family.codes_at(principal_coordinates(data.values, family.config.code_size, draw))
        else:
            codes = family.new_codes(len(data), draw)
        store = CodeStore(codes.to(data.device))
        return InstanceFitter(shared, data, store, settings.sampler, settings.seed, half, settings=settings)
    codes = family.average_codes(len(data)) if average else family.new_codes(len(data), draw)
    fitter = MixtureFitter(shared, data, CodeStore(codes.to(data.device)), settings.sampler, settings.seed, half)
    assert isinstance(settings, SceneMixtureSettings)
    if not average and settings.start == "principal" and fitter.guides is not None:
        shown = coloured_hulls(data, fitter.guides.hulls, settings.seed)
        found: Codes = family.codes_at(principal_coordinates(shown, family.config.code_size, draw))
        fitter.store.codes.update(found.tensors)
    return fitter


def pictures(network: MixtureFamily) -> Seen | None:
    """Images and voxels are no scenes: they are shown as they are."""
    if network.config.signal == "scenes":
        return None
    return lambda codes, cameras: instance_seen(network, codes.tensors["latent"], cameras)


FAMILY = Family(
    name="mixture",
    config=MixtureConfig,
    network=MixtureFamily,
    settings=MixtureSettings,
    presets=PRESETS,
    shares="set",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(Float16Codec,),
    parts=whole_codes,
    pictures=pictures,
)
