"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.codec import Codec, StoredCodec, name_in_file
from manyfields.families.factor_fields.codec import FactorCodec
from manyfields.families.factor_fields.field import FactorConfig, FactorFamily
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.float16 import Float16Codec
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.parts import FusedParts
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.octree.coding import OctreeVqCodec
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.stream.codec import OctreeCodec
from manyfields.families.parts import CodeParts, ObjectParts
from manyfields.families.tensor_planes.baselines.codec import ReTensorCodec, VqKeptCodec, VqTensorCodec
from manyfields.families.tensor_planes.codec import TensorCodec
from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.transform.codec import PretrainedCodec, TransformCodec
from manyfields.fields.family import Family, FamilyConfig
from manyfields.shared_part import SharedPart

FAMILIES: dict[str, tuple[type, type]] = {
    "fused-planes": (FusedPlanesConfig, FusedPlanes),
    "octree": (OctreeConfig, OctreeFamily),
    "tensorf": (TensorConfig, TensorFamily),
    "factor-fields": (FactorConfig, FactorFamily),
    "mixture": (MixtureConfig, MixtureFamily),
}


CODECS: dict[str, tuple[type[Codec[Any]], ...]] = {
    "fused-planes": (Float16Codec, TransformMicroCodec, VqMicroCodec),
    "octree": (OctreeCodec, OctreeVqCodec),
    "tensorf": (TensorCodec, PyramidCodec, TransformCodec, PretrainedCodec, VqTensorCodec, VqKeptCodec, ReTensorCodec),
    "factor-fields": (FactorCodec, FactorTransformCodec),
    "mixture": (Float16Codec,),
}
"""Of each family, the first stores float16; of the others the first that suits a run is what `compress` takes."""


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
    return {"family": family_name(family.config), **dataclasses.asdict(cast(Any, family.config))}


def family_name(config: FamilyConfig) -> str:
    """What a family is called, by its config."""
    return next(name for name, (config_type, _) in FAMILIES.items() if isinstance(config, config_type))


def codecs_of(config: FamilyConfig) -> tuple[type[Codec[Any]], ...]:
    """The codecs of a family, by its config: the first stores float16."""
    return CODECS[family_name(config)]


def codec_of(shared: SharedPart) -> Codec[Any]:
    """The first codec of a shared part's family: it stores float16."""
    return codecs_of(shared.family.config)[0].open(shared.family.config, {}, StoredCodec())


def open_codec(
    config: FamilyConfig, name: str | None, tensors: Mapping[str, Tensor], stored: StoredCodec
) -> Codec[Any]:
    """The codec that a collection's objects are stored by. `name`: what its file calls it; None where there is no file.

    Raises ConfigError for a name that the family has no codec of, CollectionError or ValueError for a damaged file.
    """
    first, *others = codecs_of(config)
    if name is None:
        # Compressed, and yet no file: its layers are such as the first codec reads.
        others = [codec for codec in others if name_in_file(codec) is None] if stored.plan else []
        return (others[0] if others else first).open(config, tensors, stored)
    found = next((codec for codec in others if name_in_file(codec) == name), None)
    if found is None:
        raise ConfigError(f"codec {name!r} is not known here; use a newer version")
    return found.open(config, tensors, stored)


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
