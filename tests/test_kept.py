"""What earlier code made opens, renders what it rendered, resumes to where it would have ended, and takes new objects.

`tests/kept/README.md` says what there is, and how it was made.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manyfields
from manyfields.commands import main
from manyfields.compiled import plain_only


def _load(path: Path):
    spec = importlib.util.spec_from_file_location("manyfields_test_kept_looks", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


looks = _load(Path(__file__).parent / "kept" / "looks.py")
SAME_MACHINE = looks.machine() == json.loads((looks.HERE / "machine.json").read_text())
"""Whether this is the machine on which everything was kept: floats of plain PyTorch are then the same to the last bit.

Those of compiled loops are not: their last bits were seen to differ between processes that had compiled them.
"""
RENDERED = 5e-3
"""By how much rendered pixels may differ elsewhere, or by compiled loops."""
FIGURES = {"5688b36": 1e-4, "bb7840b": 0.05}
"""By how much PSNR may differ from that of the index: rays of bb7840b had other samples."""
FITTED = 0.02
"""By how much, in the mean, pixels of what is fitted elsewhere may: steps of Adam make last bits of small gradients
large."""


@pytest.fixture
def exact():
    """Plain PyTorch alone. True where floats must be the same."""
    with plain_only():
        yield SAME_MACHINE


finished = pytest.mark.parametrize("name", looks.finished())
stopped = pytest.mark.parametrize("name", looks.stopped())


def needs_meshes(name: str) -> None:
    if "voxels" in name:
        pytest.importorskip("trimesh")


def check(name: str, part: str, folder: Path, scratch: Path, exact: bool, fitted: bool = False) -> None:
    """That objects of a collection are those of a kept one: all that was in it ("opened"), or what was "added".

    `exact`: to the last bit. `fitted`: they were made just now.
    """
    stated, seen = looks.read_expected(name)
    ids = list(stated[part]["objects"])
    found = looks.facts(folder, ids)
    if exact or not fitted:
        assert found["shared"] == stated[part]["shared"]
    for object_id in ids:
        check_facts(found["objects"][object_id], stated[part]["objects"][object_id], exact, fitted)
    for place, image in looks.pictures(folder, ids, scratch).items():
        check_floats(image, seen[place], exact, fitted, place)


def check_facts(found: dict[str, Any], stated: dict[str, Any], exact: bool, fitted: bool) -> None:
    if exact or not fitted:
        assert found["layers"] == stated["layers"]
        assert set(found["whole numbers"]) >= set(stated["whole numbers"])
        measured = {what: found["metrics"].get(what) for what in stated["metrics"]}
        assert (measured if fitted else found["metrics"]) == stated["metrics"]
    if exact:
        assert set(found["floats"]) >= set(stated["floats"])
    # Newer code may measure more of what it fits, and nothing less.
    assert len(found["layers"]) == len(stated["layers"]) and found["metrics"].keys() >= stated["metrics"].keys()


def check_floats(found: np.ndarray, stated: np.ndarray, exact: bool, fitted: bool, what: str) -> None:
    assert found.shape == stated.shape, what
    if exact:
        np.testing.assert_array_equal(found, stated, what)
    elif fitted:
        assert np.abs(found - stated).mean() < FITTED, what
    else:
        np.testing.assert_allclose(found, stated, rtol=0, atol=RENDERED, err_msg=what)


@finished
def test_it_opens_and_renders_what_it_rendered(name, tmp_path, exact):
    folder = looks.copied(name, tmp_path / "run")
    collection = manyfields.open_collection(folder)
    assert collection.verify() == [] and collection.ids == list(looks.read_expected(name)[0]["opened"]["objects"])
    check(name, "opened", folder, tmp_path, exact)


@pytest.mark.parametrize("name", ["planes", "latent", "octree-vq", "tensorf", "factor-fields", "mixture"])
def test_compiled_loops_render_it_alike(name, tmp_path):
    name = f"5688b36/{name}"
    check(name, "opened", looks.copied(name, tmp_path / "run"), tmp_path, exact=False)


@finished
def test_its_figures_are_those_of_the_index(name, tmp_path, exact):
    needs_meshes(name)
    folder = looks.copied(name, tmp_path / "run")
    collection = manyfields.open_collection(folder)
    for object_id, scores in manyfields.evaluate(folder)["objects"].items():
        metrics = collection.entry(object_id).metrics
        assert scores["psnr"] == pytest.approx(metrics["psnr"], abs=FIGURES[name.partition("/")[0]]), object_id


@stopped
def test_it_goes_on_to_the_end_that_it_would_have_had(name, tmp_path, exact):
    own = (looks.HERE / name / "expected.json").exists()
    folder = looks.resumed(name, tmp_path)
    check(name if own else looks.whole_of(name), "opened", folder, tmp_path, exact, fitted=True)


@finished
def test_it_takes_new_objects(name, tmp_path, exact):
    needs_meshes(name)
    folder = looks.copied(name, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    new = looks.added(name, folder)
    assert new == list(looks.read_expected(name)[0]["added"]["objects"])
    assert manyfields.open_collection(folder).verify() == []
    check(name, "added", folder, tmp_path, exact, fitted=True)
    changed = {file for file, data in before.items() if (folder / file).read_bytes() != data}
    assert changed <= {"collection.json", "run.json"}


@pytest.mark.parametrize("commit", sorted({name.partition("/")[0] for name in looks.finished()}))
def test_files_that_stand_alone(commit, tmp_path, exact):
    pytest.importorskip("trimesh")
    pytest.importorskip("skimage")
    _, stated = looks.read_expected(commit)
    found = looks.files(commit, tmp_path)
    assert found.keys() == stated.keys()
    for what, values in found.items():
        check_floats(values, stated[what], exact, False, what)


def test_by_the_command_line(tmp_path, capsys):
    """By flags whose words stay, with compiled loops."""
    name = "5688b36/mixture"
    run = looks.copied(f"{name}-stopped-1", tmp_path / "run")
    views, new = (str(looks.HERE / each) for each in ("views", "new"))
    assert main(["fit", views, "--out", str(run), "--resume", "--no-report"]) == 0
    check(name, "opened", run, tmp_path, exact=False, fitted=True)
    assert main(["add", str(run), new]) == 0
    check(name, "added", run, tmp_path, exact=False, fitted=True)
    assert main(["verify", str(run)]) == 0 and main(["info", str(run)]) == 0 and main(["eval", str(run)]) == 0
    name = "5688b36/planes"
    run = looks.copied(name, tmp_path / "source")
    out = looks.copied(f"{name}-transform-stopped", tmp_path / "small")
    assert main(["compress", str(run), str(out), "--codec", "transform", "--steps", "4"]) == 0
    check(f"{name}-transform", "opened", out, tmp_path, exact=False, fitted=True)
    capsys.readouterr()
