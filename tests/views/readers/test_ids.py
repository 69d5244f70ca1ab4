import os
import sys

import pytest

from manyfields.names import id_fault, same_name
from manyfields.views import read_views
from manyfields.views.readers.ids import unique_ids


def ids_of(given, places):
    return [named.id for named in unique_ids(given, [tuple(place.split("/")) for place in places])]


def test_ids_are_what_the_data_says_else_the_place():
    assert ids_of(["car", None, None], ["a", "b", "c/d"]) == ["car", "b", "c-d"]
    assert not any(named.remarks for named in unique_ids(["car", None], [("a",), ("b",)]))


@pytest.mark.parametrize(
    ("given", "places", "expected"),
    [
        (["x", "x"], ["a", "b"], ["a", "b"]),
        ([None, None], ["a-b/c", "a/b-c"], ["a-b-c", "a-b-c-2"]),
        (["Car", "car", "CAR"], ["a", "b", "c"], ["Car", "car-2", "CAR-3"]),
        (["caf\u00e9", "cafe\u0301"], ["a", "b"], ["caf\u00e9", "cafe\u0301-2"]),
        (["a/b", "a-b"], ["x", "y"], ["x", "y"]),
        (["..", "/", "\t"], ["x", "y", "z"], ["x", "y", "z"]),
        ([None], [".."], ["object"]),
        (["x", "x", "b"], ["a", "b", "c"], ["a", "b", "b-2"]),
    ],
)
def test_ids_are_fit_and_different(given, places, expected):
    named = unique_ids(given, [tuple(place.split("/")) for place in places])
    assert [each.id for each in named] == expected
    assert all(id_fault(each.id) is None for each in named)
    assert len({same_name(each.id) for each in named}) == len(named)
    assert any(each.remarks for each in named)


def test_names_that_cannot_be_stored_are_made_fit_and_said(make, tmp_path):
    make.transforms(tmp_path / "one", 3, object_id="02958343/1a2b", object_class="a\tb", group="\ud800")
    make.transforms(tmp_path / "two", 3, object_id="y" * 700)
    make.transforms(tmp_path / "a-b" / "c", 3)
    make.transforms(tmp_path / "a" / "b-c", 3)
    views = read_views(tmp_path)
    assert len(views) == 4 and all(id_fault(item.id) is None for item in views)
    item = views["02958343-1a2b"]
    (item.label + item.group).encode()
    told = {problem.object: problem for problem in views.problems}
    assert set(told) == {"02958343-1a2b", "a-b-c-2", next(name for name in views.ids if name.startswith("yyy"))}
    assert all(problem.remark and problem.kind == "name" for problem in views.problems)
    assert "'02958343/1a2b' cannot be the name of an object" in told["02958343-1a2b"].message


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_folders_whose_names_are_no_utf8(make, tmp_path):
    make.transforms(tmp_path / "plain", 3)
    make.transforms(tmp_path / "other", 3)
    os.rename(os.fsencode(tmp_path / "other"), os.fsencode(tmp_path) + b"/schlo\xdf")
    os.mkdir(os.fsencode(tmp_path) + b"/empty\xff")
    views = read_views(tmp_path)
    assert views.ids == ["plain", "schlo%DF"] and len(views["schlo%DF"].images()) == 3
    for problem in views.problems:
        f"{problem.object} {problem.message}".encode()
    assert {problem.object for problem in views.problems} == {"schlo%DF", "empty%FF"}


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_images_whose_names_are_no_utf8(make, tmp_path):
    from manyfields.views import hold_out

    make.transforms(tmp_path, 3)
    os.rename(tmp_path / "rgba" / "001.png", os.fsencode(tmp_path) + b"/rgba/\xe9.png")
    make.edit(tmp_path, lambda content: content["frames"][1].update(file_path="rgba/\udce9.png"))
    make.edit(tmp_path, lambda content: content["frames"][2].update(file_path="rgba/\ud800.png"))
    (item,) = read_views(tmp_path)
    assert item.names == ["rgba/000", "rgba/\\xe9", "rgba/\\ud800"]
    assert item.images([0, 1]).shape[0] == 2 and hold_out(item.names, item.id)
