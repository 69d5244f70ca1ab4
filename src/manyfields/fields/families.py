"""The one table of families, for opening files: nothing else maps a stored name to code."""

import dataclasses
from typing import Any

from manyfields.errors import ConfigError
from manyfields.fields.fused_planes import FusedPlanes, FusedPlanesConfig

FAMILIES = {"fused-planes": (FusedPlanesConfig, FusedPlanes)}


def family_from_config(stored: dict[str, Any]) -> FusedPlanes:
    """A family with untrained parameters, from `{"family": name, ...sizes}`.

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


def family_config(family: FusedPlanes) -> dict[str, Any]:
    """The stored form of a family's config; `family_from_config` inverts it."""
    return {"family": "fused-planes", **dataclasses.asdict(family.config)}
