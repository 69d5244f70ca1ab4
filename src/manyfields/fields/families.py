"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from typing import Any, Literal, Protocol, TypeAlias, cast

from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.fields.codes import Codes
from manyfields.fields.factor_fields import FactorConfig, FactorFamily
from manyfields.fields.fused_planes import FusedPlanes
from manyfields.fields.fused_planes_config import FusedPlanesConfig
from manyfields.fields.mixture import MixtureFamily
from manyfields.fields.mixture_config import MixtureConfig
from manyfields.fields.octree_codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.fields.octree_field import OctreeConfig, OctreeFamily
from manyfields.fields.samples import Field
from manyfields.fields.scenes import SceneCodes
from manyfields.fields.tensorf import TensorConfig, TensorFamily

FAMILIES: dict[str, tuple[type, type]] = {
    "fused-planes": (FusedPlanesConfig, FusedPlanes),
    "octree": (OctreeConfig, OctreeFamily),
    "tensorf": (TensorConfig, TensorFamily),
    "factor-fields": (FactorConfig, FactorFamily),
    "mixture": (MixtureConfig, MixtureFamily),
}

ObjectCodes: TypeAlias = Codes | OctreeCodes | QuantisedOctreeCodes | SceneCodes


class FamilyConfig(Protocol):
    """What every family says of itself."""

    @property
    def space(self) -> Literal["latent", "rgb"]: ...
    @property
    def channels(self) -> int: ...
    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """Names of what each layer of a stored object holds, coarse first."""
        ...

    @property
    def coarse_levels(self) -> range:
        """Numbers of layers, but for all of them, that show an object."""
        ...

    @property
    def guide_side(self) -> int:
        """Cells along one side of the guide over an object's box; 0: samples are not guided."""
        ...


class Family(Protocol):
    """A family of fields, as shared parts need it; besides, it is a module."""

    @property
    def config(self) -> FamilyConfig: ...
    def field(self, codes: Any, level: Any = None, bounds: Float[Tensor, "B 2 3"] | None = None) -> Field:
        """The fields of objects, with only the first `level` layers of each code present (all when None)."""
        ...

    def hull(self, codes: Any, bounds: Float[Tensor, "B 2 3"], level: Any = None) -> UInt8[Tensor, "B G G G"] | None:
        """The cells of each object's box outside of which it has nothing; None where that is not known.

        Only asked where `guide_side` is not 0: there are that many cells a side.
        """
        ...


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
