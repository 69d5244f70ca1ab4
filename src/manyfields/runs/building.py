"""New shared parts and fitters from a run's settings."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from manyfields.compiled import has_fast_bf16
from manyfields.families.factor_fields.field import FactorFamily
from manyfields.families.factor_fields.fitter import FactorFitter
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.families.fused_planes.start_from_hull import weights_from_hulls
from manyfields.families.mixture.coloured_hulls import coloured_hulls
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.fitter import MixtureFitter
from manyfields.families.mixture.principal_start import principal_coordinates
from manyfields.families.octree.field import OctreeFamily
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.growing import grown_octree
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.fitter import TensorFitter
from manyfields.fields import resolution_of
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.scene_learning import LearnedScene
from manyfields.latents import load_autoencoder
from manyfields.rendering.warping import forward_facing_map
from manyfields.runs.record import RunRecord
from manyfields.runs.settings import FitSettings
from manyfields.runs.trainer import StageFitter
from manyfields.shared_part import SharedPart

OBJECTS_TO_WHITEN = 32
GUIDE_SIDE = 64


def device(settings: FitSettings) -> torch.device:
    """Where fitting runs: a GPU where there is one, but octrees and scenes of grids, whose steps are made for CPUs."""
    return torch.device("cuda" if torch.cuda.is_available() and not settings.alone else "cpu")


def latent_stride(settings: FitSettings) -> int:
    """Image pixels along one side of a latent pixel: image sides must divide by it."""
    return 1 if settings.space == "rgb" else load_autoencoder(settings.autoencoder).stride


def new_shared(settings: FitSettings, stage1: Sequence[FittingObject]) -> SharedPart:
    """An untrained family for the objects of stage 1, with the autoencoder of the settings.

    A published autoencoder, whose latents nobody has whitened, is whitened on views of these objects.
    """
    autoencoder = None if settings.space == "rgb" else load_autoencoder(settings.autoencoder)
    if autoencoder is not None and autoencoder.needs_whitening:
        step = max(1, len(stage1) // OBJECTS_TO_WHITEN)
        autoencoder.whiten(torch.cat([item.images[:4] for item in stage1[::step]]).cpu().float() / 255.0)
    generator = torch.Generator().manual_seed(stable_seed(settings.seed, "family"))
    if settings.octree is not None:
        return SharedPart(OctreeFamily(settings.octree.family(), generator), None)
    if settings.tensorf is not None:
        return SharedPart(TensorFamily(settings.tensorf.family(settings.hull or GUIDE_SIDE), generator), None)
    if settings.factor is not None:
        return SharedPart(FactorFamily(settings.factor.family(settings.hull or GUIDE_SIDE), generator), None)
    if settings.mixture is not None:
        return SharedPart(MixtureFamily(settings.mixture_config(), generator), None)
    channels = 3 if autoencoder is None else autoencoder.channels
    shared = SharedPart(FusedPlanes(settings.family(len(stage1), channels), generator), autoencoder)
    shared.set_background()
    return shared


def new_octree_fitter(
    record: RunRecord, data: FittingData, shared: SharedPart | None = None, progress: Progress = silent
) -> OctreeFitter:
    """A fitter with an octree for each object. `shared`: that of a collection, whose network then stays as it is."""
    settings = record.settings
    assert settings.octree is not None
    shared = shared or new_shared(settings, data.objects)
    config = shared.family.config
    codes: list[OctreeCode] = []
    for row, item in enumerate(data.objects):
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "features", item.id))
        tree = grown_octree(item, config, settings.sampler, settings.seed, settings.stage1[0].backgrounds)
        codes.append(OctreeCode.of_features(tree, config.features, draw, settings.octree.finer_rate))
        progress("growing octrees", row + 1, len(data))
    return OctreeFitter(shared, data, codes, settings.sampler, settings.seed, settings.octree.indices())


def new_tensor_fitter(record: RunRecord, data: FittingData, shared: SharedPart | None = None) -> TensorFitter:
    """A fitter with random grids for each scene. `shared`: as in `new_octree_fitter`."""
    settings = record.settings
    assert settings.tensorf is not None
    shared = shared or new_shared(settings, data.objects)
    scenes = []
    for row, item in enumerate(data.objects):
        forward = forward_facing_map(item.cameras) if settings.tensorf.scene == "forward" else None
        if forward is not None:
            # Neither box nor hull of the object's space, and no pixels left out by silhouettes: all of the map's cube.
            item.bounds, item.hull, item.pixels = torch.tensor([[-1.0] * 3, [1.0] * 3]), None, None
            data.bounds[row] = item.bounds
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "grids", item.id))
        resolution = resolution_of(item.bounds, settings.tensorf.first)
        scenes.append(LearnedScene(replace(shared.family.new_grids(item.bounds, resolution, draw), map=forward)))
    half = takes_half(settings, data.device)
    return TensorFitter(shared, data, scenes, settings.sampler, settings.tensorf, settings.seed, half)


def new_factor_fitter(record: RunRecord, data: FittingData, shared: SharedPart | None = None) -> FactorFitter:
    """A fitter with random grids for each scene. `shared`: as in `new_octree_fitter`."""
    settings = record.settings
    assert settings.factor is not None
    shared = shared or new_shared(settings, data.objects)
    scenes = []
    for item in data.objects:
        draw = torch.Generator().manual_seed(stable_seed(settings.seed, "grids", item.id))
        scenes.append(LearnedScene(shared.family.new_grids(item.bounds, draw)))
    half = takes_half(settings, data.device)
    return FactorFitter(shared, data, scenes, settings.sampler, settings.factor, settings.seed, half)


def new_single_fitter(
    record: RunRecord, data: FittingData, shared: SharedPart | None = None, progress: Progress = silent
) -> StageFitter:
    """A fitter of objects that share nothing but a small network (`FitSettings.alone`)."""
    if record.settings.tensorf is not None:
        return new_tensor_fitter(record, data, shared)
    if record.settings.factor is not None:
        return new_factor_fitter(record, data, shared)
    return new_octree_fitter(record, data, shared, progress)


def new_wave_fitter(record: RunRecord, shared: SharedPart, data: FittingData) -> StageFitter:
    """A fitter of new objects against a shared part that stays as it is."""
    if record.settings.alone:
        return new_single_fitter(record, data, shared)
    return new_fitter(record, shared, data, average=True)


def new_fitter(record: RunRecord, shared: SharedPart, data: FittingData, average: bool) -> RayFitter:
    """A fitter of planes or mixtures with new codes: random or principal ones, or those of the average object."""
    settings = record.settings
    shared = shared.to(data.device)
    generator = torch.Generator().manual_seed(stable_seed(settings.seed, "codes", *(item.id for item in data.objects)))
    family = shared.family
    codes = family.average_codes(len(data)) if average else family.new_codes(len(data), generator)
    half = takes_half(settings, data.device)
    kind = PlaneFitter if settings.mixture is None else MixtureFitter
    fitter = kind(shared, data, CodeStore(codes.to(data.device)), settings.sampler, settings.seed, half)
    if average and settings.start == "hull" and fitter.guides is not None:
        fitter.store.codes.update(weights_from_hulls(family, data, fitter.guides.hulls, settings.seed))
    if not average and settings.start == "principal" and fitter.guides is not None:
        shown = coloured_hulls(data, fitter.guides.hulls, settings.seed)
        fitter.store.codes.update(
            family.codes_at(principal_coordinates(shown, family.config.code_size, generator)).tensors
        )
    return fitter


def takes_half(settings: FitSettings, device: torch.device) -> bool:
    """Whether products of matrices are made in bf16 while a run of these settings learns."""
    return settings.precision == "bf16" or (settings.precision == "auto" and has_fast_bf16(device))
