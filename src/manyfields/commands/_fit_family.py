"""What all fits have as flags, and `manyfields fit FAMILY`: a command with the flags of a family's settings, made from
the settings themselves."""

import ast
import dataclasses
import inspect
import shlex
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import tyro

from manyfields._checks import NewFolder
from manyfields.commands._command import (
    Command,
    DataFolder,
    OptionalFile,
    OptionalMinutes,
    OptionalSeed,
    Threads,
)
from manyfields.commands._progress import progress, to_stderr
from manyfields.families.names import NAMES

IN_FILES = ("sampler", "final_sampler", "stage1", "stage2")
"""Settings that are no flags, but for --config alone: they have parts."""
METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", bool: "{True,False}"}


@dataclass(frozen=True)
class FitAny(Command):
    """What fits of all families have in common."""

    family: ClassVar[str | None] = None
    """The family that was named; None: the preset's."""

    data: DataFolder
    """Folder of posed images: one object, or a folder of objects. Of mixture-images a folder of images, of
    mixture-voxels one of meshes."""
    out: Annotated[Path, NewFolder()]
    """Run folder to make: the collection, checkpoints/ and report.html."""
    minutes: OptionalMinutes = None
    """Time for all that you wait for, from reading to the report, turned into a recorded number of steps after a short
    pilot; the preset's steps if not given."""
    objects: tuple[str, ...] = field(default=())
    """Names of the objects to fit; all of DATA if not given."""
    resume: bool = False
    """Go on with the run in --out, with the settings it was started with."""
    seed: OptionalSeed = None
    """The same seed on the same machine gives the same result; the preset's, 0, if not given."""
    preset: str | None = None
    """Variant of the family (its first, or that of --config, if not given); a wrong name lists them all."""
    config: OptionalFile = None
    """JSON file of settings that replace those of the preset; flags win over it."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""
    no_report: bool = False
    """Do not write report.html."""

    def settings(self) -> dict[str, Any]:
        """Settings by name that flags give, besides those that all fits have; None where one is not given."""
        return {}

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads

        if self.threads is not None:
            use_threads(self.threads)
        with progress("fit") as report:
            runs.fit(
                self.data,
                self.out,
                minutes=self.minutes,
                objects=self.objects,
                resume=self.resume,
                family=self.family,
                preset=self.preset,
                config=self.config,
                report=not self.no_report,
                progress=report,
                say=to_stderr,
                **{"seed": self.seed, **self.settings()},
            )
        print(
            f"collection in {self.out}"
            if not (self.out / "report.html").exists()
            else f"collection in {self.out}, its report in {self.out / 'report.html'}"
        )
        return 0

    def resume_hint(self) -> str:
        data = f"./{self.data}" if str(self.data) in NAMES else str(self.data)
        return shlex.join(["manyfields", "fit", data, "--out", str(self.out), "--resume"])


def fit_command(family: str) -> type[FitAny]:
    """The command of a family in `families.names.NAMES`. Loads the families, and so PyTorch."""
    from manyfields.families.registry import presets

    first = presets()[family]
    known = {each.name for each in dataclasses.fields(FitAny)}
    names = [each.name for each in dataclasses.fields(first) if each.name not in (*known, *IN_FILES)]
    hints, told = get_type_hints(type(first)), docstrings(type(first))
    flags = [
        (name, _flag(hints[name], told[name], getattr(first, name)), dataclasses.field(default=None)) for name in names
    ]

    def settings(self: Any) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    made = dataclasses.make_dataclass(
        "FitFamily", flags, bases=(FitAny,), frozen=True, namespace={"family": family, "settings": settings}
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
