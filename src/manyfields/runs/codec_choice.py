"""Which codec a name means for a run, and its settings from what a caller gave."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from manyfields.collection import Collection
from manyfields.errors import ConfigError
from manyfields.families.codec import Codec
from manyfields.families.registry import family_of


def codec_named(source: Collection, name: str) -> type[Codec[Any]]:
    """A codec that collections of the run's family may be stored by. Raises ConfigError for others."""
    row = family_of(source.shared_part)
    kinds = {kind.name: kind for kind in row.codecs[1:] if kind.collections}
    if name not in kinds:
        what = f"one of {', '.join(kinds)}" if kinds else "there is none"
        raise ConfigError(f"{source.path}: codec {name!r}: of the family {row.name} {what}")
    return kinds[name]


def settings_of(kind: type[Codec[Any]], source: Collection, given: Mapping[str, Any]) -> Any:
    """The settings of a codec with what was given of them. Raises ConfigError for what it does not have."""
    known = [field.name for field in dataclasses.fields(kind.settings)]
    for name in given:
        if name not in known:
            others = [other.name for other in family_of(source.shared_part).codecs if has_setting(other, name)]
            instead = f"; {', '.join(dict.fromkeys(others))} has: name that codec" if others else ""
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"codec {kind.name!r} has no setting {name!r}: {has}{instead}")
    return kind.settings(**given)


def has_setting(kind: type[Codec[Any]], name: str) -> bool:
    """Whether a codec that collections may be stored by has a setting of this name."""
    return kind.collections and name in {field.name for field in dataclasses.fields(kind.settings)}
