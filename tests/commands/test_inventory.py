"""`inventory`: the meshes are there, and a wrong kind lists the right ones."""

import pytest

from manyfields.commands import main

pytest.importorskip("trimesh", reason="the extra meshes is not installed")


def test_inventory_writes_meshes_and_says_what_comes_next(tmp_path, capsys):
    assert main(["inventory", str(tmp_path / "meshes"), "--kind", "vehicle", "--count", "2"]) == 0
    assert len(list((tmp_path / "meshes").rglob("*.glb"))) == 2
    assert "manyfields views render" in capsys.readouterr().out


def test_a_wrong_kind_lists_the_kinds(tmp_path, capsys):
    assert main(["inventory", str(tmp_path / "meshes"), "--kind", "vehicel"]) == 1
    assert "vehicle" in capsys.readouterr().err
