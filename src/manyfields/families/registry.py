"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from typing import Any, cast

from manyfields.compression.codec import Codec
from manyfields.compression.raw import RawCodec
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.codec import FactorCodec
from manyfields.families.factor_fields.field import FactorConfig, FactorFamily
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.parts import FusedParts
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.stream.codec import OctreeCodec
from manyfields.families.parts import CodeParts, ObjectParts
from manyfields.families.tensor_planes.codec import TensorCodec
from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.fields.family import Family
from manyfields.shared_part import SharedPart

FAMILIES: dict[str, tuple[type, type]] = {
    "fused-planes": (FusedPlanesConfig, FusedPlanes),
    "octree": (OctreeConfig, OctreeFamily),
    "tensorf": (TensorConfig, TensorFamily),
    "factor-fields": (FactorConfig, FactorFamily),
    "mixture": (MixtureConfig, MixtureFamily),
}


def family_from_config(stored: dict[str, Any]) -> Any:
    """A `Family` with untrained parameters, from `{"family": name, ...sizes}`.

    Raises ConfigError on what is not known.
    """
    sizes = dict(stored)
    name = sizes.pop("family", None)
    if name not in FAMILIES:
        raise ConfigError(
            f"family {name!r} is not known here: known are {', '.join(FAMILIES)}; a newer version may read it"
        )
    config_type, family_type = FAMILIES[name]
    known = {field.name for field in dataclasses.fields(config_type)}
    if unknown := sorted(set(sizes) - known):
        raise ConfigError(f"family {name!r} has no setting {unknown[0]!r}: a newer version may read it")
    try:
        return family_type(config_type(**sizes))
    except (TypeError, RuntimeError) as error:
        raise ConfigError(f"family {name!r}: settings of the wrong kind ({error})") from error


def family_config(family: Family) -> dict[str, Any]:
    """The stored form of a family's config; `family_from_config` inverts it."""
    name = next(name for name, (config_type, _) in FAMILIES.items() if isinstance(family.config, config_type))
    return {"family": name, **dataclasses.asdict(cast(Any, family.config))}


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
    if isinstance(shared.family, FusedPlanes):
        return FusedParts(shared, level)
    shapes = getattr(shared.family.config, "code_shapes", None)
    if shapes is None:
        raise ConfigError("a prior needs codes of one shape for all objects: octrees and scenes of grids have none")
    if level not in (None, len(shared.family.config.layers)):
        raise ConfigError(f"level {level}: a code of this family is drawn whole")
    return CodeParts(shapes())
