"""Designs are in one part each, and what was tuned on is never reported."""

import pytest

from benchmarks import split
from manyfields._io import read_json


@pytest.mark.parametrize("kind", split.SETS)
def test_no_design_is_in_two_parts(kind):
    parts = read_json(split.FILE)[kind]
    together = [group for part in split.PARTS for group in parts[part]]
    assert len(together) == len(set(together)) and all(parts[part] for part in split.PARTS)


@pytest.mark.parametrize("kind", split.SETS)
def test_the_split_is_the_one_that_was_drawn(kind):
    if not (split.MODELS / kind / "manifest.json").is_file():
        pytest.skip(f"no meshes at {split.MODELS / kind} (set MANYFIELDS_SHARED)")
    assert read_json(split.FILE)[kind] == split.draw(kind)
    if kind == "products":
        assert not set(split.TUNED_PRODUCTS) & {*split.designs(kind, "learn"), *split.designs(kind, "report")}


def test_folders_of_links_hold_those_objects_alone(tmp_path):
    for name in "abc":
        (tmp_path / "views" / name).mkdir(parents=True)
    for ids in (["a", "b"], ["c"]):
        folder = split.links_to(tmp_path / "views", tmp_path / "some", ids)
        assert sorted(path.name for path in folder.iterdir()) == ids
