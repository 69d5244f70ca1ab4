"""Every row of record can be retraced: its command is there, its commits are, and nobody has touched it."""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from manyfields.evaluation.record import Record, read_records

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
ROWS = [(file.name, row) for file in FILES if ".draft." not in file.name for row in read_records(file)]


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def history() -> set[str]:
    if git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("needs the history of the repository")
    return {commit[:12] for commit in git("rev-list", "HEAD").split()}


def commands_of(row: Record) -> list[str]:
    return [row.command, *(each.command for each in row.trained)]


def test_there_are_rows():
    assert ROWS and len({row.name for _, row in ROWS}) == len(ROWS), "a name stands in one file alone"


def test_no_row_is_a_draft():
    assert [(file, row.name) for file, row in ROWS if row.is_draft] == []


def test_drafts_are_not_committed():
    assert [name for name in git("ls-files", "benchmarks/results").split() if ".draft." in name] == []


def test_the_commits_of_a_row_are_in_the_history(history):
    lost = {
        (row.name, commit)
        for _, row in ROWS
        for commit in (row.commit, *(each.commit for each in row.trained))
        if commit not in history
    }
    assert lost == set()


def test_the_command_of_a_row_can_be_called():
    """`python -m` a module of benchmarks that is there, or a command of the package."""
    gone = set()
    for _, row in ROWS:
        for command in commands_of(row):
            words = shlex.split(command)
            module = words[:2] == ["python", "-m"] and words[2].startswith("benchmarks.") and find_spec(words[2])
            if not module and words[0] != "manyfields":
                gone.add((row.name, command))
    assert gone == set()


def test_a_row_says_what_its_figure_is_of():
    """A quality without a note, or without how it was trained, says nothing; published weights are what they are."""
    silent = [
        row.name
        for _, row in ROWS
        if row.unit == "dB" and not (row.note and (row.trained or "weights as published" in row.note))
    ]
    assert silent == []


def test_whole_images_do_not_stand_alone():
    """White around an object flatters: wherever a whole-image PSNR of scenes stands, that of the foreground does."""
    names = {row.name for _, row in ROWS}
    whole = [found for name in names if (found := re.fullmatch(r"(.*\.)psnr(_\d+)?", name))]
    assert [found[0] for found in whole if f"{found[1]}foreground_psnr{found[2] or ''}" not in names] == []
