"""Settings of a run by the name of a preset, out of JSON files and changes by name, and back."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyfields._io import read_json
from manyfields.errors import ConfigError
from manyfields.families.registry import presets
from manyfields.fitting.phases import Phase
from manyfields.fitting.settings import FitSettings
from manyfields.rendering import Sampler
from manyfields.runs.old_settings import flat
from manyfields.runs.typed_values import build, check_kinds

DEFAULT = "fused-planes"


def settings_from(preset: str, changes: dict[str, Any]) -> FitSettings:
    """A preset with some settings changed. Raises ConfigError for a name or a setting that is not known."""
    chosen = _preset(preset)
    changes = flat(changes, chosen)
    return _changed(chosen.following(changes), changes, "settings")


def chosen_settings(
    preset: str | None, config: dict[str, Any], changes: dict[str, Any], family: str | None = None
) -> FitSettings:
    """Settings of a file, with changes by name. The preset: the one asked for, else the file's, else the family's.

    Raises ConfigError where the file belongs to another preset than the one asked for, or the preset to another family.
    """
    stored = config.get("preset")
    if preset is not None and stored is not None and preset != stored:
        raise ConfigError(f"the config file is for preset {stored!r}, not {preset!r}: leave one of the two away")
    first = _preset(preset or stored or family or DEFAULT)
    if family is not None and family != first.family:
        raise ConfigError(f"preset {first.preset!r} is one of the family {first.family!r}, not {family!r}")
    both = {**flat(config, first), **flat(changes, first)}
    settings = settings_from(preset or stored or (first.preset_of(both) if family else DEFAULT), both)
    if settings.space == "rgb" and changes.get("autoencoder") is not None:
        raise ConfigError(f"autoencoder: the preset {settings.preset!r} renders RGB and has none; use preset 'latent'")
    return settings


def read_config(path: Path | str | None) -> dict[str, Any]:
    """The settings of a JSON file; none without a path. Raises ConfigError where it is not one JSON object."""
    if path is None:
        return {}
    try:
        values = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"config {path} cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"config {path} must hold one JSON object of settings")
    return values


def settings_to_json(settings: FitSettings) -> dict[str, Any]:
    """All settings by name, as a run stores them and `read_config` reads them.

    >>> settings_to_json(settings_from("octree", {"wave": 8}))["wave"]
    8
    """
    return dataclasses.asdict(settings)


def settings_from_json(stored: dict[str, Any]) -> FitSettings:
    """Inverse of `settings_to_json`; also reads a part of the settings, and those of runs before families had settings
    of their own. Raises ConfigError."""
    return settings_from(stored.get("preset", DEFAULT), stored)


def _preset(name: str) -> FitSettings:
    known = presets()
    if name not in known:
        raise ConfigError(f"preset {name!r}: one of {', '.join(known)}")
    return known[name]


def _changed(settings: FitSettings, changes: dict[str, Any], where: str) -> FitSettings:
    names = {item.name for item in dataclasses.fields(settings)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in names:
            raise ConfigError(
                f"{where}: {settings.family}: no setting is called {name!r}; there are {', '.join(sorted(names))}"
            )
        if name in ("sampler", "final_sampler"):
            value = build(Sampler, value, f"{where}.{name}")
        if name in ("stage1", "stage2") and isinstance(value, (list, tuple)):
            value = [build(Phase, each, f"{where}.{name}") for each in value]
        values[name] = tuple(value) if isinstance(value, list) else value
    check_kinds(type(settings), values, where)
    return replace(settings, **values)
