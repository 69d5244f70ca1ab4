"""`manyfields fit FAMILY`: a command with the flags of a family's settings, made from the settings themselves."""

import ast
import dataclasses
import inspect
import textwrap
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

from manyfields.commands._command import Command

IN_FILES = ("sampler", "final_sampler", "stage1", "stage2")
"""Settings that are no flags, but for --config alone: they have parts."""
METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", bool: "{True,False}"}


def fit_command(base: type[Command], family: str) -> type[Command]:
    """The command of a family in `families.names.NAMES`: `base`, and the settings of the family.

    Its member `settings` returns those by name, None where a flag is not given. Loads the families, and so PyTorch.
    """
    from manyfields.families.registry import presets

    first = presets()[family]
    known = {each.name for each in dataclasses.fields(base)}
    names = [each.name for each in dataclasses.fields(first) if each.name not in (*known, *IN_FILES)]
    hints, told = get_type_hints(type(first)), docstrings(type(first))
    flags = [
        (name, _flag(hints[name], told[name], getattr(first, name)), dataclasses.field(default=None)) for name in names
    ]

    def settings(self: Any) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    made = dataclasses.make_dataclass(
        "FitFamily", flags, bases=(base,), frozen=True, namespace={"family": family, "settings": settings}
    )
    others = [name for name, each in presets().items() if each.family == family and name != family]
    about = " ".join((type(first).__doc__ or "").split()).removeprefix("Of a fit of ")
    variants = ", ".join([family, *others])
    made.__doc__ = f"Fit {about}\n\nPresets: {variants}. Phases and samplers are set by --config alone."
    return made


def docstrings(kind: type) -> dict[str, str]:
    """What stands below each field of a dataclass and of those that it inherits from, on one line."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(each):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)
        for line, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(after, ast.Expr):
                found[line.target.id] = " ".join(ast.literal_eval(after.value).split())
    return found


def _flag(hint: Any, told: str, value: Any) -> Any:
    """The type of a flag that may be left out: the setting's, or None."""
    kinds = [each for each in get_args(hint) if each is not NoneType] if isinstance(hint, UnionType) else [hint]
    kind = kinds[0]
    if get_origin(kind) is Literal:
        metavar = "{" + ",".join(get_args(kind)) + "}"
    elif get_origin(kind) is tuple:
        metavar = f"{METAVARS[get_args(kind)[0]]} ..."
    else:
        metavar = METAVARS[kind]
    return Annotated[
        kind | None, tyro.conf.arg(metavar=metavar, help=told, help_behavior_hint=f"(preset: {_shown(value)})")
    ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if value is None else str(value)
