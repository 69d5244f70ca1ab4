"""Rows of the table of families: each makes what it says, and is found by what it made."""

import dataclasses
from pathlib import Path

import pytest

import manyfields.families
from manyfields.families.registry import FAMILIES, family_of
from manyfields.shared_part import SharedPart


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_is_that_of_its_network(name):
    row = FAMILIES[name]
    assert row.name == name and dataclasses.is_dataclass(row.config)
    shared = SharedPart(row.network(row.config()), None) if row.config().space == "rgb" else None
    if shared is not None:
        assert family_of(shared) is row


def test_every_folder_has_a_row_and_every_row_a_folder():
    folders = {path.parent.name for path in Path(manyfields.families.__path__[0]).glob("*/family.py")}
    assert folders == {row.network.__module__.split(".")[2] for row in FAMILIES.values()}
    assert len(FAMILIES) == len(folders)
