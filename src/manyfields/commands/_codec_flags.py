"""The flags of `compress` and `rd` that belong to one codec: those of its settings, which its dataclass declares.

Which codec that is depends on the words: `--codec NAME`, and the family of the run that they name. Nothing is imported
for words that name no codec.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import tyro

from manyfields.commands._command import Command


@dataclasses.dataclass(frozen=True)
class Choice:
    """A codec that `--codec` may mean: settings, and the family whose objects it stores."""

    family: str
    name: str
    settings: type[Any]


def with_codec(
    command: type[Command], words: Sequence[str], choices: Callable[[], list[Choice]], usual: str | None = None
) -> type[Command]:
    """The command with the settings of the codec that `words` name (`usual` if they name none) as a field `settings`.

    Explains a flag of another codec, and what several families mean by one name, and exits.
    """
    name = _named(words) or usual
    own = flags_of(command)
    foreign = [word.split("=")[0] for word in words if word.startswith("--") and word.split("=")[0] not in own]
    asks = any(word in ("-h", "--help") for word in words)
    if name is None and not foreign:
        return command
    known = choices()
    found = [each for each in known if each.name == name]
    family = _family_of(words)
    here = [each for each in found if each.family == family] or found
    for flag in foreign if found or name is None else ():
        others = [each for each in known if flag in flags_of(each.settings)]
        if others and not any(flag in flags_of(each.settings) for each in here):
            of_family = [each for each in others if each.family == family]
            _refuse(flag, name, dict.fromkeys(each.name for each in of_family or others))
    if asks and len({each.settings for each in here}) > 1:
        for each in here:
            print_settings(command, each)
        raise SystemExit(0)
    fitting = [each for each in here if all(flag in flags_of(each.settings) for flag in foreign)] or here
    return _joined(command, fitting[0].settings) if fitting else command


def given(command: Command) -> dict[str, Any]:
    """The settings of the codec that differ from what they are if not given, by name."""
    settings = getattr(command, "settings", None)
    if settings is None:
        return {}
    usual = type(settings)()
    names = [field.name for field in dataclasses.fields(settings)]
    return {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(usual, name)}


def flags_of(kind: type[Any]) -> set[str]:
    """Of the members of a dataclass, but for those that are for Python alone."""
    found = {"-h", "--help"}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        rules = getattr(hint, "__metadata__", ())
        if not any(rule is tyro.conf.Suppress for rule in rules):
            named = next((rule.name for rule in rules if getattr(rule, "name", None)), name)
            found |= {f"--{named.replace('_', '-')}", f"--{named}"}
    return found


def _named(words: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word.startswith("--codec="):
            return word.removeprefix("--codec=")
        if word == "--codec":
            return following
    return None


def _family_of(words: Sequence[str]) -> str | None:
    """The family of the first collection that is named; None where there is none."""
    from manyfields.collection import open_collection
    from manyfields.errors import ManyfieldsError

    for word in words:
        if not word.startswith("-") and (Path(word) / "collection.json").is_file():
            try:
                return open_collection(word).config["family"]["family"]
            except (ManyfieldsError, KeyError, TypeError):
                return None  # said by the command itself
    return None


def _refuse(flag: str, name: str | None, others: Iterable[str]) -> None:
    said = " or ".join(f"--codec {other}" for other in others)
    what = (
        "is a setting of a codec: name it, as in" if name is None else f"is no setting of codec {name}: it belongs to"
    )
    print(f"error: {flag} {what} {said}", file=sys.stderr)
    raise SystemExit(2)


def _joined(command: type[Command], settings: type[Any]) -> type[Command]:
    field = dataclasses.field(default_factory=settings)
    made = dataclasses.make_dataclass(command.__name__, [("settings", settings, field)], bases=(command,), frozen=True)
    made.__doc__ = command.__doc__
    return made


def print_settings(command: type[Command], choice: Choice) -> None:
    """The help of a codec's settings alone: what all codecs have in common stands in the help without one."""
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    said = f"Of runs of the family {choice.family}. {(choice.settings.__doc__ or '').splitlines()[0]}"
    with contextlib.suppress(SystemExit):
        prog = f"manyfields {command.__name__.lower()} RUN OUT --codec {choice.name}"
        tyro.cli(choice.settings, prog=prog, description=said, args=["--help"], config=config)
