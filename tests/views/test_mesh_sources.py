import json
import os

import pytest

from manyfields.errors import MeshError
from manyfields.views.mesh_sources import MeshSource, find_meshes, load


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def listed(folder, *entries):
    (folder / "manifest.json").write_text(json.dumps(entries))
    return find_meshes(folder)


def test_designs_in_two_formats_get_names_of_their_own_and_stay_one_group(tmp_path):
    touch(tmp_path, "chair.glb", "chair.obj", "sofa.GLB", "sofa.ply", "table.glb")
    found = {source.id: source for source in find_meshes(tmp_path)}
    assert list(found) == ["chair-glb", "chair-obj", "sofa-glb", "sofa-ply", "table"]
    assert {found[name].group for name in ("chair-glb", "chair-obj")} == {"chair"}
    assert found["chair-glb"].remarks == ("chair.glb: chair.obj would be called chair, too: this one is chair-glb",)
    assert found["table"].remarks == ()


def test_names_that_are_equal_after_joining_or_but_for_case_are_kept_apart(tmp_path):
    touch(tmp_path, "x/y-z.glb", "x-y/z.glb", "Lamp.glb", "lamp.glb", "lamp-2.glb")
    found = find_meshes(tmp_path)
    ids = [source.id for source in found]
    assert len({name.casefold() for name in ids}) == 5 and "lamp-2" in ids
    assert sum(bool(source.remarks) for source in found) == 4


def test_a_name_that_a_pair_would_get_may_be_taken(tmp_path):
    touch(tmp_path, "chair.glb", "chair.obj", "chair-glb.ply")
    assert sorted(source.id for source in find_meshes(tmp_path)) == ["chair-glb", "chair-glb-2", "chair-obj"]


def test_names_are_made_fit_and_it_is_said(tmp_path):
    strange = os.fsencode(tmp_path / "st") + b"\xfchle.glb"
    try:
        open(strange, "w").close()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (found,) = find_meshes(tmp_path)
    assert found.id == "st%FChle" and found.id.encode() and found.path.is_file()
    assert found.remarks[0].encode()
    first, second = listed(tmp_path, {"id": "chairs/1", "file": "a.glb"}, {"id": "../x", "file": "b.glb"})
    assert first.id == "chairs-1" and "/" not in second.id and first.remarks and second.remarks


def test_what_begins_with_a_dot_and_what_macos_adds_is_passed_over(tmp_path):
    touch(tmp_path, "a.glb", "._a.glb", ".cache/b.glb", "__MACOSX/c.glb")
    assert [source.id for source in find_meshes(tmp_path)] == ["a"]


def test_entries_of_a_manifest_that_are_no_good_are_named_and_the_others_go_on(tmp_path):
    found = listed(
        tmp_path, {"id": "a", "file": "a.glb"}, {"id": 1}, "b", {"id": "c", "file": "c.glb", "yaw_deg": "left"}
    )
    assert [source.fault is None for source in found] == [True, False, False, False]
    for source, message in zip(found[1:], ("entry 2 is not a", "entry 3 is not a", "yaw_deg of 'c'"), strict=True):
        with pytest.raises(MeshError, match=message):
            load(source)


def test_two_entries_of_one_name(tmp_path):
    found = listed(tmp_path, {"id": "x", "file": "one.glb"}, {"id": "x", "file": "two.glb"})
    assert [source.id for source in found] == ["x", "x-2"]


def test_remarks_of_the_source_come_with_the_mesh(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\nf 1 2\n")
    mesh = load(MeshSource("a", tmp_path / "a.obj", "c", "a", remarks=("it has another name",)))
    assert mesh.remarks[0] == "it has another name" and len(mesh.remarks) == 2
