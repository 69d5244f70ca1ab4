"""`views render` and `views check` on meshes made here."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyfields.commands import main

pytest.importorskip("vtkmodules", reason="the extra meshes is not installed")
trimesh = pytest.importorskip("trimesh", reason="the extra meshes is not installed")

SMALL = ["--views", "6", "--size", "24", "--workers", "1"]


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    for name, size in (("brick", (2, 1, 1)), ("slab", (2, 2, 0.5))):
        box = trimesh.creation.box(size)
        box.visual.face_colors = np.arange(48).reshape(12, 4) * 5 % 256 | (0, 0, 0, 255)
        box.export(folder / f"{name}.glb")
    (folder / "broken.glb").write_bytes(b"no mesh")
    return folder


@pytest.fixture(scope="module")
def rendered(meshes, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("views") / "set"
    assert main(["views", "render", str(meshes), str(out), *SMALL]) == 0
    return out


def test_render_writes_objects_and_names_what_it_set_aside(meshes, rendered, capsys):
    frames = json.loads((rendered / "brick" / "transforms.json").read_text())["frames"]
    assert len(frames) == 6
    picture = np.asarray(Image.open(rendered / "brick" / frames[0]["file_path"]))
    assert picture.shape == (24, 24, 4) and 0 < (picture[..., 3] > 0).mean() < 1
    assert main(["views", "render", str(meshes), str(rendered), *SMALL]) == 0
    shown = capsys.readouterr().out
    assert "0 objects rendered, 2 were complete, 1 set aside" in shown
    assert "broken.glb" in shown


def test_render_refuses_other_settings_in_the_same_folder(meshes, rendered, capsys):
    assert main(["views", "render", str(meshes), str(rendered), *SMALL, "--seed", "7"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and "other settings" in error


def test_render_of_nothing(tmp_path, capsys):
    assert main(["views", "render", str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 1
    assert "no such folder of meshes" in capsys.readouterr().err


def test_check_of_sound_views(rendered, capsys):
    assert main(["views", "check", str(rendered)]) == 0
    assert "usable: 2 objects, 12 views" in capsys.readouterr().out


def test_check_names_object_view_and_kind(rendered, tmp_path, capsys):
    import shutil

    data = tmp_path / "set"
    shutil.copytree(rendered, data)
    (data / "brick" / "rgba" / "002.png").write_bytes(b"\x89PNG cut short")
    assert main(["views", "check", str(data)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "002" in line)
    assert "brick" in row and "unreadable" in row
    assert main(["views", "check", str(data), "--strict"]) == 1


def test_check_of_no_data(tmp_path, capsys):
    assert main(["views", "check", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_check_counts_remarks_apart_and_strict_lets_them_pass(tmp_path, shapes, capsys):
    import json

    folder = shapes.write_set(tmp_path / "set", ["ball_red"], views=6)
    file = folder / "ball_red" / "transforms.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "object_id": "02958343/1a"}))
    assert main(["views", "check", str(folder), "--strict"]) == 0
    shown = capsys.readouterr().out
    assert "0 problems, 1 remark; usable: 1 object, 6 views" in shown
    row = next(line for line in shown.splitlines() if "02958343-1a" in line)
    assert "name" in row and row.rstrip().endswith("remark")
