"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.codec import Codec, StoredCodec, name_in_file
from manyfields.families.factor_fields import family as factor_fields
from manyfields.families.family import Family
from manyfields.families.fused_planes import family as fused_planes
from manyfields.families.mixture import family as mixture
from manyfields.families.octree import family as octree
from manyfields.families.parts import ObjectParts
from manyfields.families.tensor_planes import family as tensor_planes
from manyfields.fields.family import FamilyNetwork
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import FitSettings
from manyfields.shared_part import SharedPart

FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (fused_planes.FAMILY, octree.FAMILY, tensor_planes.FAMILY, factor_fields.FAMILY, mixture.FAMILY)
}


def presets() -> dict[str, FitSettings]:
    """The settings that all families have, by name.

    >>> presets()["octree"].family
    'octree'
    """
    return {name: settings for row in FAMILIES.values() for name, settings in row.presets.items()}


def row_of(settings: FitSettings) -> Family:
    """The row of the family that settings are of."""
    return next(row for row in FAMILIES.values() if isinstance(settings, row.settings))


def new_shared(settings: FitSettings, objects: Sequence[FittingObject]) -> SharedPart:
    """An untrained shared part for the objects of stage 1."""
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, "family"))
    return row_of(settings).new_shared(settings, objects, draw)


def new_fitter(settings: FitSettings, shared: SharedPart, data: Any, average: bool, progress: Progress = silent) -> Any:
    """The family's fitter, a `StageFitter` with new codes: those of the average object, to be fitted against a shared
    part that stays as it is, or others."""
    return row_of(settings).fitter(settings, shared, data, average, progress)


def register(row: Family) -> None:
    """Add a family, or put a row in the place of the one of its name: with more codecs, for instance.

    >>> from dataclasses import replace
    >>> row = FAMILIES["octree"]
    >>> register(replace(row, codecs=(*row.codecs,)))
    """
    FAMILIES[row.name] = row


def family_of(shared: SharedPart) -> Family:
    """The row of a shared part's family."""
    return _row_of(shared.family)


def family_from_config(stored: dict[str, Any]) -> Any:
    """A network with untrained parameters, from `{"family": name, ...sizes}`.

    Raises ConfigError on what is not known.
    """
    sizes = dict(stored)
    name = sizes.pop("family", None)
    if name not in FAMILIES:
        raise ConfigError(
            f"family {name!r} is not known here: known are {', '.join(FAMILIES)}; a newer version may read it"
        )
    row = FAMILIES[name]
    known = {field.name for field in dataclasses.fields(row.config)}
    if unknown := sorted(set(sizes) - known):
        raise ConfigError(f"family {name!r} has no setting {unknown[0]!r}: a newer version may read it")
    try:
        return row.network(row.config(**sizes))
    except (TypeError, RuntimeError) as error:
        raise ConfigError(f"family {name!r}: settings of the wrong kind ({error})") from error


def family_config(network: FamilyNetwork) -> dict[str, Any]:
    """The stored form of a family's config; `family_from_config` inverts it."""
    return {"family": _row_of(network).name, **dataclasses.asdict(cast(Any, network.config))}


def codec_of(shared: SharedPart) -> Codec[Any]:
    """The first codec of a shared part's family: it stores float16."""
    return family_of(shared).codecs[0].open(shared.family.config, {}, StoredCodec())


def open_codec(shared: SharedPart, name: str | None, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Codec[Any]:
    """The codec that a collection's objects are stored by. `name`: what its file calls it; None where there is no file.

    Raises ConfigError for a name that the family has no codec of, CollectionError or ValueError for a damaged file.
    """
    config, (first, *others) = shared.family.config, family_of(shared).codecs
    if name is None:
        # Compressed, and yet no file: its layers are such as the first codec reads.
        fitting = [codec for codec in others if name_in_file(codec) is None] if stored.plan else []
        return (fitting[0] if fitting else first).open(config, tensors, stored)
    found = next((codec for codec in others if name_in_file(codec) == name), None)
    if found is None:
        raise ConfigError(f"codec {name!r} is not known here; use a newer version")
    return found.open(config, tensors, stored)


def parts_of(shared: SharedPart, level: int | None = None) -> ObjectParts:
    """How objects of a shared part are taken apart; `level`: that many layers alone (all when None).

    Raises ConfigError for families whose objects have codes of different shapes, and for a level that shows nothing.

    >>> from manyfields.collection import open_collection
    >>> parts_of(open_collection("runs/vehicles").shared_part).layers
    3
    """
    return family_of(shared).parts(shared, level)


def _row_of(network: FamilyNetwork) -> Family:
    return next(row for row in FAMILIES.values() if isinstance(network, row.network))
