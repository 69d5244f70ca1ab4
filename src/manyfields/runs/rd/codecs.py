"""Which curves a run may have: one for every codec of its family that has a knob, and those that codecs add."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manyfields.collection import Collection
from manyfields.errors import ConfigError
from manyfields.families.codec import Codec
from manyfields.families.registry import family_of


@dataclass(frozen=True)
class CurveKind:
    """A codec, and the settings that all points of its curve have."""

    codec: type[Codec[Any]]
    settings: Mapping[str, Any]

    @property
    def knob(self) -> str:
        """What the values of a curve are, in words."""
        return self.codec.knob_name or self.codec.knob.replace("_", " ")


def curve_kinds(codecs: tuple[type[Codec[Any]], ...]) -> dict[str, CurveKind]:
    """By name, of some codecs."""
    found = {}
    for codec in codecs:
        if codec.knob:
            found[codec.name] = CurveKind(codec, codec.curve_settings)
            for name, settings in codec.curves.items():
                found[name] = CurveKind(codec, {**codec.curve_settings, **settings})
    return found


def curve_named(source: Collection, name: str) -> CurveKind:
    """Raises ConfigError where the run's family has no such curve."""
    row = family_of(source.shared_part)
    kinds = curve_kinds(row.codecs)
    if name not in kinds:
        what = f"one of {', '.join(kinds)}" if kinds else "none of its codecs has a knob"
        raise ConfigError(f"{source.path}: codec {name!r}: of the family {row.name} {what}")
    return kinds[name]
