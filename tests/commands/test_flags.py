"""Numbers and places of flags are judged before anything is imported or read."""

import dataclasses
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from manyfields._checks import Bounds, NewFile, NewFolder
from manyfields.commands import COMMANDS, main
from manyfields.commands.views import CheckViews, RenderViews, Views

ALL = [*(command for command in COMMANDS.values() if command is not Views), RenderViews, CheckViews]


def numbers_in(hint) -> set:
    """Which of int and float a hint has room for."""
    inner = get_args(hint)
    if not inner:
        return {hint} & {int, float}
    return set().union(*(numbers_in(each) for each in inner if isinstance(each, type) or get_args(each)))


def numeric_flags():
    for command in ALL:
        for name, hint in get_type_hints(command, include_extras=True).items():
            bare = get_type_hints(command)[name]
            if numbers_in(bare) and "Literal" not in str(bare):
                yield command, name, [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Bounds)]


@pytest.mark.parametrize(
    ("command", "name", "bounds"), list(numeric_flags()), ids=lambda value: getattr(value, "__name__", None)
)
def test_every_number_has_bounds(command, name, bounds):
    assert bounds, f"{command.__name__}.{name}: say which numbers have a meaning"
    assert not bounds[0].hold(math.nan) and not bounds[0].hold(-math.inf)


def test_flags_that_are_written_to_are_known():
    written = {
        (command.__name__, name)
        for command in ALL
        for name, hint in get_type_hints(command, include_extras=True).items()
        if any(isinstance(each, NewFile | NewFolder) for each in getattr(hint, "__metadata__", ()))
    }
    for command in ALL:
        if "out" in {each.name for each in dataclasses.fields(command)}:
            assert (command.__name__, "out") in written
    assert ("Eval", "json") in written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fit gone --out run --minutes nan", "minutes: a number above 0, not nan"),
        ("fit gone --out run --minutes inf", "minutes: a number above 0, not inf"),
        ("fit gone --out run --minutes 0", "minutes: a number above 0, not 0.0"),
        ("fit gone --out run --minutes -1", "minutes: a number above 0, not -1.0"),
        ("fit gone --out run --seed -1", "seed: a number of at least 0, not -1"),
        ("fit gone --out run --stage1-objects 0", "stage1-objects: a number of at least 1, not 0"),
        ("fit gone --out run --threads 0", "threads: a number from 1 to 1024, not 0"),
        ("add gone data --minutes nan", "minutes: a number above 0, not nan"),
        ("demo --out gone --minutes 0", "minutes: a number above 0, not 0.0"),
        ("compare gone --minutes -inf", "minutes: a number above 0, not -inf"),
        ("views render gone out --views 0", "views: a number of at least 1, not 0"),
        ("views render gone out --workers -2", "workers: a number of at least 1, not -2"),
        ("inventory out --count -1", "count: a number of at least 1, not -1"),
        ("compress gone out --codec transform --lambda nan", "lambda: a number of at least 0, not nan"),
        ("compress gone out --codec vq --steps -1", "steps: a number of at least 0, not -1"),
        ("rd gone out --values 0.1 nan", "values: a number of at least 0, not nan"),
        ("eval gone --level 0", "level: a number of at least 1, not 0"),
        ("prior gone --held-out nan", "held-out: a number of at least 0 and below 1, not nan"),
        ("sample gone --out out --guidance inf", "guidance: a number, not inf"),
        ("sample gone --out out --spread -0.5", "spread: a number of at least 0, not -0.5"),
        ("interpolate gone a b --out x.png --size 0", "size: a number from 1 to 16384, not 0"),
        ("render gone --out x.png --elevation nan", "elevation: a number from -90 to 90, not nan"),
        ("shape gone x.vq --truncation inf", "truncation: a number above 0 and at most 2, not inf"),
        ("extract gone x.ply --bytes 0", "bytes: a number of at least 1, not 0"),
        ("info gone --totals 10 0", "totals: a number of at least 1, not 0"),
    ],
)
def test_numbers_without_meaning_are_named(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # A value below 0 is written with an equals sign, or it would be read as a flag.
    assert main(re.sub(r" (-\w)", r"=\1", words).split()) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "fit data --out file/run",
        "compress run file/small",
        "rd run file",
        "sample run --out file",
        "views render meshes file",
        "inventory file",
        "demo --out file",
        "compare data --minutes 1 --out file",
        "eval run --json .",
        "render run --object a --out file/x.png",
        "interpolate run a b --out file/x.png",
        "shape mesh.glb file/x.vq",
        "extract x.vq file/x.ply",
        "stream run --object a --out file/x.vq",
    ],
)
def test_places_that_cannot_be_written_are_named(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert main(words.split()) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and ("is a file" in said or "is a folder; name a file" in said)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_heavy_is_imported_before_numbers_are_judged():
    code = (
        "import sys; from manyfields.commands import main; "
        "status = main(['fit', 'gone', '--out', 'run', '--minutes', 'nan']); print('torch' in sys.modules, status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "1"]
