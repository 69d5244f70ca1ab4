"""Results of record: replaced by name, refused when they cannot be trusted."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import pytest

from manyfields.errors import ConfigError
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.record import current_command, current_commit, new_record, read_records, write_records

KEYS = {"name", "value", "unit", "command", "machine", "date", "commit", "note"}


def test_rows_are_replaced_in_place_and_others_appended(tmp_path):
    path = tmp_path / "results" / "vehicles.json"
    first = new_record("vehicles.fused_planes.psnr", 27.5, "dB", command="manyfields fit")
    second = new_record("vehicles.fused_planes.ssim", 0.9, "")
    write_records(path, [first, second])
    better = replace(first, value=28.1)
    third = new_record("vehicles.fused_planes.lpips", None, "", note="no weights")
    assert write_records(path, [third, better]) == [better, second, third]
    assert read_records(path) == [better, second, third]
    assert all(set(row) == KEYS for row in json.loads(path.read_text()))
    assert [p.name for p in path.parent.iterdir()] == ["vehicles.json"]


@pytest.mark.parametrize(
    ("module", "command"),
    [(None, "speed.py 'a b'"), ("benchmarks.speed.demo", "python -m benchmarks.speed.demo 'a b'")],
)
def test_a_row_says_the_command_that_it_comes_from(monkeypatch, module, command):
    spec = module and ModuleSpec(module, None)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(sys, "argv", ["/somewhere/speed.py", "a b"])
    assert current_command() == command == new_record("a.b", 1, "dB").command


def test_a_folder_that_is_run_is_called_by_its_name(monkeypatch):
    spec = ModuleSpec("benchmarks.speed.__main__", None)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py", "kernels"])
    assert current_command() == "python -m benchmarks.speed kernels"


def test_untrustworthy_rows_are_refused_and_the_file_stays(tmp_path):
    path = tmp_path / "r.json"
    good = new_record("a.b", 1, "dB")
    write_records(path, [good])
    before = path.read_bytes()
    for bad, message in (
        ([replace(good, value=float("nan"))], "a.b has the value nan"),
        ([replace(good, name="Psnr")], "'Psnr' is not dotted"),
        ([good, good], "a.b stands there twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            write_records(path, bad)
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "{}", '[{"name": "a.b"}]', "[3]"])
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "damaged.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="damaged.json"):
        read_records(path)


def test_a_file_with_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "twice.json"
    write_records(path, [new_record("a.b", 1, "dB")])
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    with pytest.raises(ConfigError, match="a.b stands there twice"):
        read_records(path)


def test_no_file_has_no_rows(tmp_path):
    assert read_records(tmp_path / "none.json") == []


def test_commit_is_that_of_the_checkout_and_says_dirty(tmp_path):
    assert current_commit(tmp_path) == "unknown"

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "one")
    git("tag", "-am", "a tag does not hide the commit", "v1")
    assert git("rev-parse", "HEAD").startswith(current_commit(tmp_path)) and len(current_commit(tmp_path)) == 12
    (tmp_path / "file").write_text("2")
    assert current_commit(tmp_path).endswith("-dirty")


def test_machine_is_one_line_that_names_what_matters():
    machine = describe_machine()
    assert machine.cores >= 1 and machine.cpu in machine.line and f"torch {machine.torch}" in machine.line
    assert "\n" not in machine.line and json.loads(json.dumps(machine.to_json()))["threads"] == machine.threads
