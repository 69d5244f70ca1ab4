"""`manyfields fit FAMILY`: its flags are the settings of the family, and old flags say where they went."""

import dataclasses
import shlex
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from manyfields.commands import main, parse
from manyfields.commands._fit_family import IN_FILES, docstrings, fit_command
from manyfields.commands.fit import Fit, FitAny
from manyfields.families.names import NAMES
from manyfields.families.registry import presets
from manyfields.runs.settings import chosen_settings, settings_to_json


def test_names_are_those_of_the_table():
    assert tuple(dict.fromkeys(settings.family for settings in presets().values())) == NAMES
    assert all(name in str(Fit.__doc__) for name in NAMES)


@pytest.mark.parametrize("family", NAMES)
def test_help_shows_the_settings_of_a_family(family, capsys):
    assert main(["fit", family, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"manyfields fit {family}" in shown
    for each in dataclasses.fields(presets()[family]):
        flag = f"--{each.name.replace('_', '-')} "
        assert (flag in shown) == (each.name not in IN_FILES), flag
    for name, settings in presets().items():
        assert (settings.family != family) or name in shown


@pytest.mark.parametrize("family", NAMES)
def test_every_setting_is_explained(family):
    told = docstrings(type(presets()[family]))
    for each in dataclasses.fields(presets()[family]):
        assert told[each.name].endswith("."), each.name


@pytest.mark.parametrize("family", NAMES)
def test_flags_are_settings(family):
    """A flag with the value that a setting has changes nothing."""
    first = presets()[family]
    words = ["fit", family, "data", "--out", "run"]
    command = parse(words)
    assert command.family == family and set(command.settings().values()) == {None}
    stored = settings_to_json(first)
    for name in command.settings():
        value = stored[name]
        if value is not None:
            shown = map(str, value) if isinstance(value, tuple) else [str(value)]
            words += [f"--{name.replace('_', '-')}", *shown]
    changes = parse(words).settings()
    assert {name: value for name, value in changes.items() if value is not None} == {
        name: stored[name] for name in changes if stored[name] is not None
    }
    # An autoencoder is asked for where there is one alone.
    given = {name: value for name, value in changes.items() if value is not None and name != "autoencoder"}
    assert chosen_settings(None, {}, given, family) == first


def test_choices_of_flags_are_those_of_settings():
    hints = get_type_hints(fit_command(FitAny, "octree"))
    assert set(get_args(get_args(hints["density"])[0])) == {"softplus", "relu"}
    assert issubclass(fit_command(FitAny, "mixture"), FitAny)


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("data --out run --family octree --bits 6", "fit octree data --out run --bits 6"),
        ("data --out run --bits=6 --minutes 3", "fit octree data --out run --bits=6 --minutes 3"),
        ("--family=tensorf 'my data' --out run", "fit tensorf 'my data' --out run"),
        ("data --out run --policy joint", "fit fused-planes data --out run --policy joint"),
        ("data --out run --preset mixture-paper --policy joint", "fit mixture data --out run --preset mixture-paper "),
        ("data --out run --preset latent --autoencoder sd", "fit fused-planes data --out run --preset latent --auto"),
        ("photos --out run --family mixture-images --side 9", "fit mixture-images photos --out run --side 9"),
        ("data --out run --adaptation meta", "fit mixture-images data --out run --adaptation meta"),
        (
            "data --out run --preset mixture-voxels --side 9",
            "fit mixture-voxels data --out run --preset mixture-voxels",
        ),
    ],
)
def test_flags_that_moved_say_what_to_write(words, instead, capsys):
    assert main(["fit", *shlex.split(words)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: --") and f"manyfields {instead}" in said and said.count("\n") == 1
    # What is said to write is understood.
    parse(shlex.split(said.split("manyfields ", 1)[1]))


def test_a_folder_with_the_name_of_a_family(tmp_path):
    assert parse(["fit", "octree", "octree", "--out", "run"]).data == Path("octree")
    hint = parse(["fit", "octree", "octree", "--out", str(tmp_path / "run")]).resume_hint()
    again = parse(shlex.split(hint)[1:])
    assert (again.data, again.resume, again.family) == (Path("octree"), True, None)
