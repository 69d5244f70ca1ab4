"""Values out of JSON as settings: every one of the kind that its field has."""

import dataclasses
import math
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from manyfields.errors import ConfigError


def build(kind: Any, values: Any, where: str) -> Any:
    """A dataclass from an object of JSON; one that is built already is itself. Raises ConfigError."""
    if isinstance(values, kind):
        return values
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {values!r} must be an object of settings")
    names = {item.name for item in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - names):
        raise ConfigError(f"{where}: no setting is called {unknown[0]!r}; there are {', '.join(sorted(names))}")
    check_kinds(kind, values, where)
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_kinds(kind: Any, values: dict[str, Any], where: str) -> None:
    """Raises ConfigError where a value is not of the kind that its field has."""
    hints = get_type_hints(kind)
    for name, value in values.items():
        if not _is_of(value, hints[name]):
            raise ConfigError(f"{where}.{name}: {value!r} is not {_in_words(hints[name])}")


def _is_of(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_is_of(value, each) for each in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint in (int, float):
        kinds = (int, float) if hint is float else int
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if hint in (tuple[float, ...], tuple[int, ...]):
        return isinstance(value, tuple) and all(_is_of(each, get_args(hint)[0]) for each in value)
    return isinstance(value, get_origin(hint) or hint)


def _in_words(hint: Any) -> str:
    if isinstance(hint, UnionType):
        return " or ".join(_in_words(each) for each in get_args(hint))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(get_args(hint))
    if hint in (tuple[float, ...], tuple[int, ...]):
        return f"a list of {'whole ' if hint == tuple[int, ...] else ''}numbers"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    return words.get(hint, "a list of phases")
