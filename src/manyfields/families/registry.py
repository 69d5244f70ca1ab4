"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from typing import Any, cast

from manyfields.compression.codec import Codec
from manyfields.compression.raw import RawCodec
from manyfields.errors import ConfigError
from manyfields.families.factor_fields import family as factor_fields
from manyfields.families.factor_fields.codec import FactorCodec
from manyfields.families.factor_fields.field import FactorFamily
from manyfields.families.family import Family
from manyfields.families.fused_planes import family as fused_planes
from manyfields.families.mixture import family as mixture
from manyfields.families.octree import family as octree
from manyfields.families.octree.field import OctreeFamily
from manyfields.families.octree.stream.codec import OctreeCodec
from manyfields.families.parts import ObjectParts
from manyfields.families.tensor_planes import family as tensor_planes
from manyfields.families.tensor_planes.codec import TensorCodec
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.fields.family import FamilyNetwork
from manyfields.fitting.settings import FitSettings
from manyfields.shared_part import SharedPart

FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (fused_planes.FAMILY, octree.FAMILY, tensor_planes.FAMILY, factor_fields.FAMILY, mixture.FAMILY)
}


def presets() -> dict[str, FitSettings]:
    """The settings that all families have, by name."""
    return {name: settings for row in FAMILIES.values() for name, settings in row.presets.items()}


def row_of(settings: FitSettings) -> Family:
    """The row of the family that settings are of."""
    return next(row for row in FAMILIES.values() if isinstance(settings, row.settings))


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


def codec_of(shared: SharedPart) -> Codec:
    """The plain codec of a shared part's codes."""
    if isinstance(shared.family, OctreeFamily):
        return OctreeCodec(shared.family.config)
    if isinstance(shared.family, TensorFamily):
        return TensorCodec(shared.family.config)
    if isinstance(shared.family, FactorFamily):
        return FactorCodec(shared.family.config)
    return RawCodec(shared.family.config.layers, shared.family.config.code_shapes())


def parts_of(shared: SharedPart, level: int | None = None) -> ObjectParts:
    """How objects of a shared part are taken apart; `level`: that many layers alone (all when None).

    Raises ConfigError for families whose objects have codes of different shapes, and for a level that shows nothing.
    """
    return family_of(shared).parts(shared, level)


def _row_of(network: FamilyNetwork) -> Family:
    return next(row for row in FAMILIES.values() if isinstance(network, row.network))
