"""The command line: one file a command, each a thin call into the library.

Exit status: 0 done, 1 a mistake in the input (one line on stderr, no traceback), 2 wrong usage, 130 Ctrl-C.
With MANYFIELDS_TRACEBACK=1 in the environment a mistake shows its traceback instead.
"""

import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Union

import tyro

from manyfields.commands._command import Command
from manyfields.commands.add import Add
from manyfields.commands.compare import Compare
from manyfields.commands.compress import Compress
from manyfields.commands.demo import Demo
from manyfields.commands.eval import Eval
from manyfields.commands.extract import Extract
from manyfields.commands.fit import Fit
from manyfields.commands.info import Info
from manyfields.commands.interpolate import Interpolate
from manyfields.commands.inventory import Inventory
from manyfields.commands.prior import LearnPrior
from manyfields.commands.rd import Rd
from manyfields.commands.render import Render
from manyfields.commands.sample import Sample
from manyfields.commands.shape import FitShape
from manyfields.commands.stream import Stream
from manyfields.commands.verify import Verify
from manyfields.commands.views import Views
from manyfields.errors import ManyfieldsError, Remark
from manyfields.families.names import NAMES

COMMANDS: dict[str, type[Command]] = {
    "demo": Demo,
    "inventory": Inventory,
    "views": Views,
    "fit": Fit,
    "add": Add,
    "eval": Eval,
    "compare": Compare,
    "compress": Compress,
    "rd": Rd,
    "render": Render,
    "prior": LearnPrior,
    "sample": Sample,
    "interpolate": Interpolate,
    "stream": Stream,
    "shape": FitShape,
    "extract": Extract,
    "info": Info,
    "verify": Verify,
}

# Which extra brings an optional module, for the message when it is missing.
_EXTRA_OF = {
    "vtk": "meshes",
    "vtkmodules": "meshes",
    "trimesh": "meshes",
    "skimage": "meshes",
    "scipy": "meshes",
    "diffusers": "sd",
    "imageio": "video",
    "imageio_ffmpeg": "video",
    "torchmetrics": "metrics",
    "cv2": "photos",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    argv: the words after the program's name; None takes them from `sys.argv`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text that can be printed
    if words == ["--version"]:
        from manyfields._version import __version__

        print(f"manyfields {__version__}")
        return 0
    try:
        try:
            command = parse(words)
        finally:
            sys.stdout.flush()  # of help
    except SystemExit as stop:  # help and usage errors, already printed
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except BrokenPipeError:
        return _reader_went_away()
    except ManyfieldsError as mistake:  # settings judge their own numbers, and flags may have moved
        print(f"error: {_one_line(mistake)}", file=sys.stderr)
        return 1
    try:
        with _remarks_in_a_line():
            command.check()
            status = command.run()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print(f"\ninterrupted; to go on: {command.resume_hint()}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return _reader_went_away()
    except (ManyfieldsError, OSError, ModuleNotFoundError) as mistake:
        message = _one_line(mistake)
        if message is None or os.environ.get("MANYFIELDS_TRACEBACK") == "1":
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1


def _reader_went_away() -> int:
    """Of what is printed: head, or less. Python would complain once more while it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def parse(words: Sequence[str]) -> Command:
    """The command that a command line names.

    Raises SystemExit (0 for help, 2 for wrong usage), ConfigError for settings without meaning and flags that moved.
    """
    config = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    commands = dict(COMMANDS)
    if words and words[0] in commands:
        commands[words[0]] = commands[words[0]].of_words(words[1:])
    if words[:1] == ["fit"] and words[1:2] and words[1] in NAMES:
        family = commands["fit"]
        return tyro.cli(family, prog=f"manyfields fit {words[1]}", args=list(words[2:]), config=config)
    choices: Any = Union[  # noqa: UP007 - the members come from the table, so they cannot be written with |
        tuple(Annotated[command, tyro.conf.subcommand(name)] for name, command in commands.items())
    ]
    return tyro.cli(
        choices,
        prog="manyfields",
        description="Large sets of 3D objects as neural fields that share what they have in common.",
        args=words,
        config=config,
    )


@contextmanager
def _remarks_in_a_line() -> Iterator[None]:
    """Within it remarks are printed without the place in the source that Python adds; other warnings as ever."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, Remark):
                print(f"note: {message}", file=sys.stderr, flush=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _one_line(mistake: Exception) -> str | None:
    """The line that tells a user what to do; None for what is a fault of the program, which keeps its traceback."""
    if isinstance(mistake, ModuleNotFoundError):
        module = (mistake.name or "").split(".")[0]
        if module not in _EXTRA_OF:
            return None
        return f"this needs the package {module}; install it with: pip install 'manyfields[{_EXTRA_OF[module]}]'"
    if isinstance(mistake, OSError) and mistake.strerror and mistake.filename is not None:
        return f"{mistake.filename}: {mistake.strerror}"
    return " ".join(str(mistake).split()) or type(mistake).__name__
