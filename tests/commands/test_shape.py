"""`shape` and `extract` by the command line."""

from functools import partial

import numpy as np
import pytest

from manyfields.commands import main
from manyfields.evaluation.geometry import compare_surfaces
from manyfields.shapes import fit_shape as shapes
from manyfields.shapes import fitter as distance_fitter

trimesh = pytest.importorskip("trimesh", reason="the extra meshes is not installed")
pytest.importorskip("skimage", reason="the extra meshes is not installed")


@pytest.fixture(scope="module", autouse=True)
def small():
    """Distances are what takes time: fewer of them than a user has, to learn from and to measure by."""
    settings = partial(distance_fitter.DistanceSettings, points=2000, pool=5000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distance_fitter, "DistanceSettings", settings)
        patch.setattr(shapes, "compare_surfaces", partial(compare_surfaces, points=2000))
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shape")
    trimesh.creation.icosphere(3, 2.0).export(folder / "ball.ply")
    words = ["shape", str(folder / "ball.ply"), str(folder / "ball.vq"), "--levels", "3", "4", "--steps", "30"]
    assert main([*words, "--bits", "4", "--truncation", "0.1", "--no-scores"]) == 0
    return folder / "ball.vq"


def test_a_mesh_goes_in_and_a_table_comes_out(file, capsys):
    words = ["shape", str(file.with_name("ball.ply")), str(file.with_name("again.vq")), "--levels", "3", "4"]
    assert main([*words, "--steps", "30", "--bits", "4", "--truncation", "0.1"]) == 0
    shown = capsys.readouterr()
    assert "shape: fit 30/30" in shown.err
    for text in ("level 3", "level 4", "surface from byte", "Chamfer", "quantised mesh, 11 bits", "again.vq"):
        assert text in shown.out, shown.out
    assert file.read_bytes() == file.with_name("again.vq").read_bytes()


def test_surfaces_are_written(file, tmp_path, capsys):
    out = tmp_path / "ball.stl"
    assert main(["extract", str(file), str(out)]) == 0
    assert f"{out}: " in capsys.readouterr().out
    radii = np.linalg.norm(trimesh.load(out).vertices, axis=-1)
    assert np.median(radii) == pytest.approx(2.0, rel=0.05)
    assert main(["extract", str(file), str(out), "--level", "1", "--resolution", "64"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["extract", "FILE", "a.step"], "a.step: cannot write .step; use .ply"),
        (["extract", "FILE", "a.ply", "--bytes", "500"], "hold no whole level; the first level ends at byte"),
        (["extract", "FILE", "a.ply", "--level", "3"], "level 3: from 1 to 2 can be had"),
        (["extract", "FILE", "a.ply", "--resolution", "100"], "resolution 100: a power of two"),
        (["render", "FILE", "--out", "a.png"], "`manyfields extract FILE.vq OUT.glb` writes it as a mesh"),
        (["shape", "FILE", "a.vq"], ".vq is not a mesh format that is read"),
        (["shape", "nothing.ply", "a.vq"], "nothing.ply: no such mesh file"),
        (["shape", "nothing.ply", "a.vq", "--levels", "5", "3"], "levels 5 to 3"),
        (["shape", "nothing.ply", "a.vq", "--bits", "0"], "bits: a number from 1 to 10, not 0"),
        (["extract", "nothing.vq", "a.ply"], "nothing.vq: No such file"),
    ],
)
def test_mistakes_are_one_line(file, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(file) if word == "FILE" else word for word in words]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1 and message in shown, shown


def test_a_file_that_is_cut_names_the_level(file, tmp_path, capsys):
    (tmp_path / "cut.vq").write_bytes(file.read_bytes()[:-1])
    assert main(["extract", str(tmp_path / "cut.vq"), str(tmp_path / "a.ply")]) == 1
    assert "of level 4: cut short" in capsys.readouterr().err
