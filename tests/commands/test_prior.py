"""`prior`, `sample` and `interpolate` pass on what the user said."""

import inspect
from pathlib import Path

import pytest

from manyfields import runs
from manyfields.commands import main
from manyfields.generation import PriorSettings


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder that passes for a run."""
    monkeypatch.setattr("manyfields.collection.open_collection", lambda path: None)
    (tmp_path / "collection.json").write_text("{}")
    return tmp_path


@pytest.fixture
def recorded(monkeypatch):
    def replace(name: str, result):
        signature, calls = inspect.signature(getattr(runs, name)), []

        def stand_in(*args, **kwargs):
            calls.append(signature.bind(*args, **kwargs).arguments)
            return result

        monkeypatch.setattr(runs, name, stand_in)
        return calls

    return replace


def test_prior(recorded, folder, capsys):
    calls = recorded("train_prior", folder / "prior-0123.safetensors")
    words = [
        "prior",
        str(folder),
        "--level",
        "1",
        "--steps",
        "7",
        "--parents",
        "1",
        "--evenness",
        "3",
        "--seed",
        "3",
        "--resume",
    ]
    assert main(words) == 0
    assert calls[0]["settings"] == PriorSettings(level=1, steps=7, parents=1, evenness=3, seed=3)
    assert calls[0]["resume"] is True and calls[0]["run"] == folder
    assert "prior-0123.safetensors" in capsys.readouterr().out


def test_the_defaults_of_the_command_are_those_of_the_settings(recorded, folder):
    calls = recorded("train_prior", folder)
    assert main(["prior", str(folder)]) == 0
    assert calls[0]["settings"] == PriorSettings()


def test_sample(recorded, folder, capsys):
    calls = recorded("sample", [1] * 1600)
    assert main(["sample", str(folder), "-n", "1600", "--seed", "1", "--label", "vehicle", "--out", "new"]) == 0
    said = calls[0]
    assert (said["count"], said["seed"], said["label"], said["out"]) == (1600, 1, "vehicle", Path("new"))
    assert (said["way"], said["scheduler"], said["steps"], said["films"]) == ("diffusion", "dpm", None, 0)
    assert "1,600 objects" in capsys.readouterr().out


def test_interpolate(recorded, folder):
    calls = recorded("interpolate", None)
    assert main(["interpolate", str(folder), "a", "b", "c", "d", "--out", "grid.png", "--side", "4"]) == 0
    assert calls[0]["ids"] == ("a", "b", "c", "d") and calls[0]["side"] == 4


@pytest.mark.parametrize("words", [["prior"], ["sample", "--out", "new"], ["interpolate", "--out", "a.png"]])
def test_a_folder_that_is_not_there(words, capsys):
    at = 1
    words = [*words[:at], "nowhere", *(["a", "b"] if words[0] == "interpolate" else []), *words[at:]]
    assert main(words) == 1
    assert capsys.readouterr().err == "error: nowhere: no such folder; give the folder that manyfields fit --out made\n"
