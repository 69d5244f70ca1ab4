"""A scene of tensor fields to a pyramid of latents, in one pass: nothing learns.

    planes ── what pictures are sensitive to ──► mixes, gains ──► latents, coarse first ──► tables of their contexts

In the basis of a mix an error of one unit changes pictures alike, whatever its direction, and latents are not
correlated (Karhunen-Loeve), so that one step suits all of them.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.latent_contexts import LARGEST_REACH, PyramidTables
from manyfields.compression.latent_pyramid import averages, latents_that_count, sides_of
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.pyramid.scene import (
    GAIN_LEVELS,
    GAINS_OF_OCTAVE,
    MOST_GAIN,
    Gains,
    Mixes,
    PyramidScene,
    finer_bilinear,
    inverse_gains,
    side_of,
    squared,
    texels_read,
)
from manyfields.families.tensor_planes.pyramid.sensitivity import Sensitivity, sensitivity
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.families.tensor_planes.pyramid.vectors import encode_own_network, encode_vectors
from manyfields.families.tensor_planes.stacked_planes import stacked_planes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

FLOOR = 1e-4  # of a matrix's mean diagonal, added to it: directions that no ray sees
RANGE = 2.0**-10, 2.0**3  # of the sensitivity of a texel over the mean of its plane, for gains


def pyramid_of(
    shared: SharedPart[TensorFamily],
    item: FittingObject,
    grids: TensorGrids,
    sampler: Sampler,
    settings: PyramidSettings,
    seed: int = 0,
) -> PyramidScene:
    """The scene `grids` of one object, as its bytes will have it.

    Raises ConfigError for fields without planes (CP), and for planes that are too small for so many levels.
    """
    if not grids.density.planes:
        raise ConfigError("fields of vectors alone (CP) have no planes to code")
    side = side_of(grids.resolution)
    try:
        sides_of(side, max(settings.levels, GAIN_LEVELS))
    except ValueError as error:
        raise ConfigError(f"{error}: take fewer levels") from error
    loss = SceneLoss(shared, grids, item, sampler, rays=settings.rays, seed=seed)
    found = sensitivity(loss, grids, settings.draws, seed)
    return scene_of(grids, found, settings, shared.family.numbers() if settings.own_network else None)


@torch.no_grad()
def scene_of(
    grids: TensorGrids, found: Sensitivity, settings: PyramidSettings, network: Float[Tensor, " p"] | None = None
) -> PyramidScene:
    """From what pictures are sensitive to; see `pyramid_of`. `network`: to store with the scene. Raises CollectionError
    for NaN, ConfigError for a step so small that latents are too large."""
    side = side_of(grids.resolution)
    texels = texels_read(grids.mask, grids.resolution)
    planes = squared(stacked_planes(grids), side)
    mixes = Mixes.of(_mixes(planes, texels, found.components, settings.price))
    gains = _gains(found, texels, settings.gain_power)
    wanted = torch.einsum("phwc,pcz->phwz", planes.double(), torch.linalg.inv(mixes.floats()))
    wanted = wanted / inverse_gains(gains, side)[..., None]
    latents = _rounded_levels(wanted.float(), texels, settings.levels, settings.rounding)
    largest = max(int(own.abs().max()) for own in latents)
    if largest > LARGEST_REACH:
        least = settings.price * largest / LARGEST_REACH
        raise ConfigError(
            f"step {settings.price:g}: latents of up to {largest}, where the format has {LARGEST_REACH}: "
            f"take a step of {least:.2g} or more"
        )
    masks = [mask.numpy() for mask in latents_that_count(texels, settings.levels)]
    whole = tuple(own.numpy() for own in latents)
    reach = max(1, *(int(abs(own).max(initial=1)) for own in whole))
    tables = PyramidTables.learn([(whole, masks)], reach, settings.classes)
    components = grids.density.components, grids.appearance.components
    vectors = (*grids.density.vectors, *grids.appearance.vectors)
    return PyramidScene(
        box=grids.box,
        alpha=grids.mask,
        map=grids.map,
        resolution=grids.resolution,
        components=components,
        vectors=encode_vectors(vectors, settings.vector_share),
        mixes=mixes,
        gains=gains,
        latents=whole,
        tables=tables,
        network=None if network is None else encode_own_network(network, settings.network_share),
    )


def _mixes(planes: Tensor, texels: Tensor, squares: Float[Tensor, "3 C C"], step: float) -> Float[Tensor, "3 C C"]:
    made = []
    for plane, here, own in zip(planes, texels, squares, strict=True):
        floor = FLOOR * own.diagonal().mean().clamp(min=1e-20)
        values, vectors = torch.linalg.eigh(own.double() + floor * torch.eye(len(own)))
        root = vectors @ torch.diag(values.sqrt()) @ vectors.T
        white = plane[here].double() @ root
        axes = torch.linalg.svd(white.T @ white)[2]
        made.append(step * axes @ torch.linalg.inv(root))
    return torch.stack(made)


def _gains(found: Sensitivity, texels: Tensor, power: float) -> Gains:
    """At every fourth texel, from the sensitivity of the texels around it."""
    maps = squared([own[None] for own in found.texels], texels.shape[-1])
    around = averages(maps, texels, GAIN_LEVELS)[0][:, 0]
    mean = (maps[..., 0] * texels).sum((1, 2)) / texels.sum((1, 2)).clamp(min=1)
    share = (around / mean.clamp(min=1e-20).view(3, 1, 1)).clamp(*RANGE)
    return (GAINS_OF_OCTAVE * power * share.log2()).round().clamp(-MOST_GAIN, MOST_GAIN).long()


def _rounded_levels(wanted: Float[Tensor, "3 H W C"], texels: Tensor, levels: int, rounding: float) -> list[Tensor]:
    """Each level takes what the ones before it leave (Burt and Adelson 1983)."""
    sums, found = None, []
    counting = latents_that_count(texels, levels)
    for left, here in zip(averages(wanted, texels, levels), counting, strict=True):
        if sums is not None:
            sums = finer_bilinear(sums, left.shape[-1])
            left = left - sums
        own = left.sign() * (left.abs() + rounding).floor() * here[:, None]
        sums = own if sums is None else sums + own
        found.append(own.permute(0, 2, 3, 1).long())
    return found
