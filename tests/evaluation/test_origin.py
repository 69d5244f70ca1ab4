"""Where a figure comes from: command, commit, views."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import pytest

from manyfields.evaluation.origin import (
    Origin,
    current_command,
    current_commit,
    digest_of_digests,
    digest_of_files,
    origin_here,
)


@pytest.mark.parametrize(
    ("module", "command"),
    [(None, "speed.py 'a b'"), ("benchmarks.speed.demo", "python -m benchmarks.speed.demo 'a b'")],
)
def test_an_origin_says_the_command_that_it_comes_from(monkeypatch, module, command):
    spec = module and ModuleSpec(module, None)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(sys, "argv", ["/somewhere/speed.py", "a b"])
    assert current_command() == command == origin_here().command


def test_a_folder_that_is_run_is_called_by_its_name(monkeypatch):
    spec = ModuleSpec("benchmarks.speed.__main__", None)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py", "kernels"])
    assert current_command() == "python -m benchmarks.speed kernels"


@pytest.fixture
def checkout(tmp_path):
    """A repository with a package and results of benchmarks, and how to call git in it."""

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    for name in ("package/code.py", "benchmarks/results/rows.json", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "-am", "a tag does not hide the commit", "v1")
    return tmp_path, git


def test_commit_is_that_of_the_checkout(checkout):
    folder, git = checkout
    commit = current_commit(folder / "package")
    assert len(commit) == 12 and git("rev-parse", "HEAD").startswith(commit)
    assert not Origin("c", commit, "m", "d").differed


@pytest.mark.parametrize("name", ["package/code.py", "README.md", "package/new.py"])
def test_commit_says_when_files_differ(checkout, name):
    folder, _ = checkout
    (folder / name).write_text("2")
    commit = current_commit(folder / "package")
    assert commit.endswith("-dirty") and Origin("c", commit, "m", "d").differed


def test_rows_that_benchmarks_write_and_files_elsewhere_are_no_difference(checkout):
    folder, _ = checkout
    (folder / "benchmarks" / "results" / "rows.json").write_text("2")
    (folder / "bench-work").mkdir()
    (folder / "bench-work" / "views.png").write_text("")
    assert "dirty" not in current_commit(folder / "package")


def test_a_package_in_an_environment_of_another_project_has_no_commit(checkout):
    folder, _ = checkout
    installed = folder / ".venv" / "package"
    installed.mkdir(parents=True)
    assert current_commit(installed) == "unknown" and Origin("c", "unknown", "m", "d").differed


def test_no_checkout_has_no_commit(tmp_path):
    assert current_commit(tmp_path) == "unknown"


def test_digests_see_names_contents_and_absence(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    found = [
        digest_of_files(["x", "y"], [first, second]),
        digest_of_files(["x", "z"], [first, second]),
        digest_of_files(["x", "y"], [second, first]),
        digest_of_files(["x", "y"], [first, None]),
        digest_of_files(["x", "y"], [first, tmp_path / "gone"]),
    ]
    assert len(set(found)) == 5 and all(len(each) == 16 for each in found)
    assert found[0] == digest_of_files(["x", "y"], [first, second])


def test_a_digest_of_many_depends_on_no_order():
    assert digest_of_digests({"a": "1", "b": "2"}) == digest_of_digests({"b": "2", "a": "1"})
    assert digest_of_digests({"a": "1", "b": "2"}) != digest_of_digests({"a": "2", "b": "1"})
