import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from manyfields._lock import locked
from manyfields.errors import ConfigError, MeshError
from manyfields.views import read_views
from manyfields.views.depth_check import depth_problems
from manyfields.views.mesh_sources import find_meshes
from manyfields.views.render_set import RenderSettings, render_mesh, render_set

SMALL = {"views": 3, "size": 16, "workers": 1}


def write_meshes(folder, names=("a", "b", "c")):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        trimesh.creation.box((1 + number, 1, 2)).export(folder / f"{name}.glb")
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Three boxes and a broken file, rendered once."""
    base = tmp_path_factory.mktemp("rendered")
    meshes = write_meshes(base / "boxes")
    (meshes / "broken.glb").write_bytes(b"glTF")
    seen = []
    summary = render_set(meshes, base / "out", progress=lambda *step: seen.append(step), **SMALL)
    return meshes, base / "out", summary, seen


def test_a_broken_mesh_is_set_aside_and_the_others_are_rendered(rendered):
    _, out, summary, seen = rendered
    assert summary.done == ["a", "b", "c"] and summary.skipped == []
    assert list(summary.failed) == ["broken"] and "broken.glb" in summary.failed["broken"]
    assert [step[:2] for step in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {step[2] for step in seen} == {"a", "b", "c", "broken"}
    assert not (out / "broken" / "transforms.json").exists()


def test_an_object_folder_has_pictures_depths_and_cameras(rendered):
    _, out, _, _ = rendered
    cameras = json.loads((out / "a/transforms.json").read_text())
    assert (cameras["w"], cameras["h"], cameras["cx"]) == (16, 16, 8)
    assert cameras["fl_x"] == pytest.approx(16 * 177.77776499 / 128)
    assert (cameras["object_id"], cameras["object_class"], cameras["group"]) == ("a", "boxes", "a")
    assert np.array(cameras["model_to_world"]).shape == (4, 4)
    assert cameras["render"]["seed"] == 0 and cameras["render"]["views"] == 3
    assert [frame["file_path"] for frame in cameras["frames"]] == [f"rgba/{i:03d}.png" for i in range(3)]
    for frame in cameras["frames"]:
        rgba = np.asarray(Image.open(out / "a" / frame["file_path"]))
        depth = np.asarray(Image.open(out / "a" / frame["depth_path"]))
        assert rgba.shape == (16, 16, 4) and (rgba[rgba[..., 3] == 0] == 0).all()
        assert depth.dtype == np.uint16 and depth.shape == (16, 16)
        solid = depth[rgba[..., 3] == 255] * cameras["depth_unit"]
        assert solid.size and solid.min() > 1.79 and solid.max() < 3.61
        assert np.linalg.norm(np.array(frame["transform_matrix"])[:3, 3]) == pytest.approx(2.7)


def test_a_rerun_skips_complete_objects_and_redoes_incomplete_ones(rendered):
    meshes, out, _, _ = rendered
    before = contents(out)
    (out / "b/transforms.json").unlink()
    (out / "b/rgba/001.png").write_bytes(b"half a picture")
    summary = render_set(meshes, out, **SMALL)
    assert summary.done == ["b"] and summary.skipped == ["a", "c"] and list(summary.failed) == ["broken"]
    assert contents(out) == before


def test_other_settings_in_the_same_folder_are_an_error_naming_it(rendered):
    meshes, out, _, _ = rendered
    before = contents(out)
    with pytest.raises(MeshError, match=rf"{out / 'a'}: was rendered with other settings .*\"seed\": 0"):
        render_set(meshes, out, **{**SMALL, "views": 4})
    assert contents(out) == before


def test_foreign_files_are_not_overwritten(rendered, tmp_path):
    meshes, _, _, _ = rendered
    (tmp_path / "a").mkdir()
    (tmp_path / "a/thesis.txt").write_text("mine")
    with pytest.raises(MeshError, match="holds files that are no renders .thesis.txt."):
        render_set(meshes, tmp_path, **SMALL)
    assert contents(tmp_path) == {"a/thesis.txt": b"mine"}


def test_an_object_does_not_depend_on_the_others_or_on_the_processes(rendered, tmp_path):
    meshes, out, _, _ = rendered
    sources = [source for source in find_meshes(meshes) if source.id in "cb"][::-1]
    render_set(meshes, tmp_path, sources=sources, **{**SMALL, "workers": 2})
    expected = {name: data for name, data in contents(out).items() if name[0] in "bc" and not name.startswith("broken")}
    assert contents(tmp_path) == expected


def test_one_mesh_without_depth(rendered, tmp_path):
    meshes, out, _, _ = rendered
    settings = RenderSettings(views=3, size=16, depth=False)
    render_mesh(meshes / "a.glb", tmp_path / "a", settings)
    assert not (tmp_path / "a/depth").exists()
    cameras = json.loads((tmp_path / "a/transforms.json").read_text())
    assert "depth_unit" not in cameras and "depth_path" not in cameras["frames"][0]
    assert (tmp_path / "a/rgba/002.png").read_bytes() == (out / "a/rgba/002.png").read_bytes()


def test_a_dying_process_loses_no_object(tmp_path):
    meshes = write_meshes(tmp_path / "boxes", "abcdef")
    killed = []

    def kill_once(*_):
        if not killed:
            killed.extend(multiprocessing.active_children())
            for child in killed:
                os.kill(child.pid, signal.SIGKILL)

    summary = render_set(meshes, tmp_path / "out", progress=kill_once, **SMALL)
    assert killed and summary.done == list("abcdef") and not summary.failed


@pytest.mark.parametrize("lost", ["rgba/001.png", "depth/002.png"])
def test_an_object_without_its_pictures_is_made_anew(rendered, lost):
    meshes, out, _, _ = rendered
    before = contents(out)
    (out / "b" / lost).unlink()
    (out / "c" / lost).write_bytes(b"")
    summary = render_set(meshes, out, **SMALL)
    assert summary.done == ["b", "c"] and summary.skipped == ["a"]
    assert contents(out) == before


def test_one_process_renders_into_a_folder(rendered):
    meshes, out, _, _ = rendered
    (out / "b/rgba/001.png").unlink()
    before = contents(out)
    with locked(out, AssertionError()), pytest.raises(MeshError, match="another process is rendering into it"):
        render_set(meshes, out, **SMALL)
    assert contents(out) == before
    assert render_set(meshes, out, **SMALL).done == ["b"]


RENDER = """
import sys
from multiprocessing import active_children
from pathlib import Path
from manyfields.views.render_set import render_set

def tell(done, total, name):
    print(*(child.pid for child in active_children()), flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    render_set(Path(sys.argv[1]), Path(sys.argv[2]), views=3, size=16, workers=2, progress=tell)
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(tmp_path, how):
    meshes = write_meshes(tmp_path / "boxes", "abcdef")
    (tmp_path / "render.py").write_text(RENDER)
    words = [sys.executable, tmp_path / "render.py", meshes, tmp_path / "out"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert workers and all(map(is_running, workers))
        parent.send_signal(how)
    while any(map(is_running, workers)):  # the limit of every test ends it, where workers are left behind
        time.sleep(0.05)


def test_remarks_are_kept_and_repeated_by_a_later_run(tmp_path):
    meshes = write_meshes(tmp_path / "boxes", "a")
    scene = trimesh.Scene([trimesh.creation.box(), trimesh.load_path(np.array([[0, 0, 0], [1, 1, 1.0]]))])
    (meshes / "wired.glb").write_bytes(scene.export(file_type="glb"))
    first = render_set(meshes, tmp_path / "out", **SMALL)
    assert first.done == ["a", "wired"] and list(first.remarks) == ["wired"]
    assert "lines and points are left out" in first.remarks["wired"][0]
    assert render_set(meshes, tmp_path / "out", **SMALL).remarks == first.remarks
    assert "remarks" not in json.loads((tmp_path / "out/a/transforms.json").read_text())


def test_only_broken_meshes_end_the_run(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x.glb").write_bytes(b"glTF")
    with pytest.raises(MeshError, match=r"no mesh of 1 can be rendered; the first: .*x\.glb"):
        render_set(tmp_path / "in", tmp_path / "out", **SMALL)


def test_a_manifest_gives_names_turns_and_groups(tmp_path):
    folder = write_meshes(tmp_path / "set", ["one"])
    entries = [
        {"id": "first", "file": "set/one.glb", "yaw_deg": 90, "group": "g"},
        {"id": "second", "file": "one.glb"},
        {"id": "third", "file": "none.glb"},
    ]
    (folder / "manifest.json").write_text(json.dumps(entries))
    first, second, third = find_meshes(folder)
    assert (first.id, first.path, first.yaw_deg, first.group) == ("first", folder / "one.glb", 90, "g")
    assert (second.path, second.yaw_deg, second.group) == (folder / "one.glb", 0, "second")
    assert third.id == "third"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("{", "is not readable JSON"),
        ('{"id": 1}', "is not a list of"),
    ],
)
def test_a_bad_manifest_is_named(tmp_path, entries, message):
    (tmp_path / "manifest.json").write_text(entries)
    with pytest.raises(MeshError, match=message):
        find_meshes(tmp_path)


def test_meshes_in_folders_keep_apart(tmp_path):
    write_meshes(tmp_path / "x", ["model"])
    write_meshes(tmp_path / "y", ["model"])
    assert [source.id for source in find_meshes(tmp_path)] == ["x-model", "y-model"]


def test_pairs_are_rendered_under_names_of_their_own_and_named_with_their_files(tmp_path):
    meshes = write_meshes(tmp_path / "in", ["chair", "table"])
    (meshes / "chair.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n")
    entry = {"views": 1, "size": 16, "workers": 1}
    summary = render_set(meshes, tmp_path / "out", **entry)
    assert summary.done == ["chair-glb", "chair-obj", "table"] and not summary.failed
    assert "chair.obj would be called chair, too" in summary.remarks["chair-glb"][0]
    recorded = json.loads((tmp_path / "out/chair-obj/transforms.json").read_text())
    assert recorded["group"] == "chair" and "chair.glb" in recorded["remarks"][0]


def test_the_light_is_recorded_and_another_is_refused(tmp_path):
    meshes = write_meshes(tmp_path / "in", ["a"])
    entry = {"views": 1, "size": 16, "workers": 1}
    render_set(meshes, tmp_path / "out", light="flat", **entry)
    assert json.loads((tmp_path / "out/a/transforms.json").read_text())["render"]["light"] == "flat"
    assert render_set(meshes, tmp_path / "out", light="flat", **entry).skipped == ["a"]
    with pytest.raises(MeshError, match=r'other settings .*"light": "flat"'):
        render_set(meshes, tmp_path / "out", **entry)
    with pytest.raises(ConfigError, match="dusk.hdr: cannot be read"):
        render_set(meshes, tmp_path / "new", light=tmp_path / "dusk.hdr", **entry)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("alpha", [255, 242, 128])
def test_depths_do_not_contradict_pictures_of_what_one_can_see_through(tmp_path, alpha):
    cut = np.full((8, 8), alpha, dtype=np.uint8)
    cut[:2] = 60
    Image.fromarray(cut).save(tmp_path / "cut.png")
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_d cut.png\n")
    corners = ["{} {} {}".format(*corner) for corner in np.ndindex(2, 2, 2)]
    faces = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
    text = ["mtllib a.mtl", *(f"v {corner}" for corner in corners), "vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", "usemtl m"]
    text += ["f " + " ".join(f"{v}/{i}" for i, v in enumerate(face.split(), 1)) for face in faces]
    (tmp_path / "a.obj").write_text("\n".join(text))
    settings = RenderSettings(views=4, size=32)
    assert render_mesh(tmp_path / "a.obj", tmp_path / "views/a", settings) == ()
    views = read_views(tmp_path / "views")
    assert depth_problems(views) == []


def test_mistakes_in_arguments_are_named(tmp_path):
    with pytest.raises(MeshError, match="no such folder of meshes"):
        find_meshes(tmp_path / "none")
    with pytest.raises(MeshError, match="holds no mesh; put .glb"):
        find_meshes(tmp_path)
    with pytest.raises(ConfigError, match="views 0, size 16"):
        RenderSettings(views=0, size=16)
    with pytest.raises(ConfigError, match="'dome' is not known; use one of hemisphere"):
        RenderSettings(viewpoints="dome")
    with pytest.raises(ConfigError, match="up axis 'x'"):
        RenderSettings(up="x")
    (tmp_path / "file").write_text("")
    write_meshes(tmp_path / "in", ["a"])
    with pytest.raises(MeshError, match="is a file; name a folder"):
        render_set(tmp_path / "in", tmp_path / "file", **SMALL)
    with pytest.raises(MeshError, match="is the folder of the meshes"):
        render_set(tmp_path / "in", tmp_path / "in", **SMALL)
