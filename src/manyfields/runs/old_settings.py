"""Settings as they were before families had settings of their own: read, and made into those of today.

There was one list of settings for all families, where fused planes had their own beside those of all, and the others
had theirs nested: `{"preset": "octree", "hull": 64, "octree": {"last": 8, "bits": 6}}`, and beside it, unheeded, what
is of fused planes. Such are the records of older runs, and files that people wrote.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from manyfields.errors import ConfigError
from manyfields.fitting.settings import FitSettings

NESTED = {
    "octree": ("octrees", ("octree",)),
    "tensorf": ("tensor fields", ("tensorf",)),
    "factor": ("factor fields", ("factor-fields",)),
    "mixture": ("mixture", ("mixture", "mixture-images", "mixture-voxels")),
    "signals": ("images or voxels", ("mixture-images", "mixture-voxels")),
}
"""Names of nested settings: what they are of, and the families that heed them."""
PLANES = frozenset(
    ("micro_features", "macro_features", "base_planes", "weight_groups", "resolution", "hidden", "space")
    + ("density_gain", "activation", "span", "view_degree", "autoencoder")
)
"""Of fused planes alone, and beside those of all."""
STAGES = frozenset(("stage1_objects", "policy", "start"))
"""Beside those of all, and not heeded by all."""
RENAMED = {"wave": "waveform"}
"""Of factor fields."""
OF_SCENES = ("density_gain", "density_steepness", "density_shift", "guide_side")
SPREADS = ("start_spread", "code_spread")


def flat(values: Mapping[str, Any], preset: FitSettings) -> dict[str, Any]:
    """Settings by name with none nested, for a preset: what was nested of its family stands beside the others.

    Raises ConfigError where settings of another family are nested in them.
    """
    if not NESTED.keys() & values.keys():
        return dict(values)
    known = {each.name for each in fields(preset)}
    heeds_planes = preset.family == "fused-planes"
    found = {
        name: value
        for name, value in values.items()
        if name not in NESTED and (heeds_planes or name not in PLANES) and (name in known or name not in STAGES)
    }
    way = _way(values, preset)
    for name, (what, families) in NESTED.items():
        nested = values.get(name)
        if nested is None:
            continue
        if preset.family not in families:
            raise ConfigError(
                f"settings.{name}: the preset {preset.preset!r} has no {what}; use preset {families[0]!r}"
            )
        if not isinstance(nested, Mapping):
            raise ConfigError(f"settings.{name}: {nested!r} must be an object of settings")
        found |= _own(name, nested, preset, way)
    return found


def _own(name: str, nested: Mapping[str, Any], preset: FitSettings, way: str | None) -> dict[str, Any]:
    own = dict(nested)
    if name == "factor":
        return {RENAMED.get(each, each): value for each, value in own.items()}
    if name == "mixture" and own.pop("signal", preset.source) != preset.source:
        raise ConfigError(
            f"settings.mixture.signal: the preset {preset.preset!r} is of {preset.source}; "
            "presets mixture, mixture-images and mixture-voxels are of scenes, images and voxels"
        )
    # Of images and voxels both said how far apart vectors start, and the way of adaptation decided which was heeded.
    unheeded: tuple[str, ...] = ()
    if name == "mixture" and way is not None:
        unheeded = (*OF_SCENES, *(SPREADS if way != "auto-decoding" else ()))
    elif name == "signals" and way == "auto-decoding":
        unheeded = SPREADS
    return {each: value for each, value in own.items() if each not in unheeded}


def _way(values: Mapping[str, Any], preset: FitSettings) -> str | None:
    """How images or voxels get their vectors; None of scenes."""
    nested = values.get("signals")
    asked = nested.get("adaptation") if isinstance(nested, Mapping) else None
    return values.get("adaptation") or asked or getattr(preset, "adaptation", None)
