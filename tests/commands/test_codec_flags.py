"""Flags of `compress` and `rd` that belong to one codec: its settings alone declare them."""

import dataclasses
import inspect
import typing

import pytest

from manyfields.commands import COMMANDS, main, parse
from manyfields.commands._codec_flags import flags_of, given
from manyfields.errors import ConfigError
from manyfields.families.registry import FAMILIES

CODECS = [(row.name, codec) for row in FAMILIES.values() for codec in row.codecs[1:]]
SETTINGS = list(dict.fromkeys(codec.settings for _, codec in CODECS))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda kind: kind.__name__)
def test_numbers_without_meaning_are_refused_and_flags_are_explained(settings):
    sources = "".join(inspect.getsource(kind) for kind in settings.__mro__ if dataclasses.is_dataclass(kind))
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        assert f"    {field.name}: " in sources
        if "int" in str(hints[field.name]) or "float" in str(hints[field.name]):
            several = "tuple" in str(hints[field.name])
            for wrong in (float("nan"), -1e9):
                with pytest.raises(ConfigError):
                    settings(**{field.name: (wrong,) if several else wrong})
        follows = sources.split(f"    {field.name}: ", 1)[1].splitlines()[1]
        assert follows.strip().startswith('"""'), f"{settings.__name__}.{field.name} has no word of help"


def test_shared_flags_are_no_codecs():
    for name in ("compress", "rd"):
        own = flags_of(COMMANDS[name]) - {"-h", "--help"}
        for settings in SETTINGS:
            assert not own & flags_of(settings), f"{name} and {settings.__name__} have a flag in common"


def test_the_help_of_compress_names_the_codecs_of_each_family(capsys):
    assert main(["compress", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for family, words in (
        ("fused-planes", "vq or transform for fused planes"),
        ("octree", "vq for octrees"),
        ("tensorf", "pyramid or transform for tensor planes"),
        ("factor-fields", "transform for factor fields"),
    ):
        assert words in shown
        names = {codec.name for codec in FAMILIES[family].codecs[1:] if codec.collections}
        assert names == set(words.split(" for ")[0].split(" or "))


def test_help_of_a_codec_lists_its_settings(capsys):
    assert main(["compress", "--codec", "pyramid", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--lambda" in shown and "--draws" in shown and "--bits" not in shown and "--own-network" not in shown
    assert main(["compress", "--codec", "vq", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "of the family fused-planes" in shown and "of the family octree" in shown
    assert "--groups" in shown.split("of the family octree")[0] and "--groups" not in shown.split("family octree")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("compress run out --bits 4", "error: --bits is a setting of a codec: name it, as in --codec vq"),
        (
            "compress run out --codec transform --bits 4",
            "error: --bits is no setting of codec transform: it belongs to",
        ),
        ("compress run out --codec=pyramid --groups=2", "error: --groups is no setting of codec pyramid"),
        ("rd run out --codec pyramid --steps 3", "error: --steps is no setting of codec pyramid: it belongs"),
    ],
)
def test_a_flag_of_another_codec_is_said_in_a_line(words, message, capsys):
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(message) and said.count("\n") == 1


def test_settings_that_are_given():
    assert given(parse(["compress", "run", "out"])) == {}
    command = parse(["compress", "run", "out", "--codec", "vq", "--bits", "4", "2", "--steps", "300", "--seed", "3"])
    assert given(command) == {"bits": (4, 2)} and command.seed == 3
    command = parse(
        ["rd", "run", "out", "--codec", "transform-no-mask", "--values", "1", "--lambda", "0.1", "--size", "H"]
    )
    assert given(command) == {"price": 0.1, "size": "H"}
    assert given(parse(["rd", "run", "out", "--steps", "7"])) == {"steps": 7}
