"""Tensor fields from views to a collection, its figures and its report."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.registry import presets
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.runs import RunRecord, add, evaluate, fit
from manyfields.runs.settings import chosen_settings, settings_from_json, settings_to_json

PHASE = {"name": "tensors", "steps": 8, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01, "rays_per_object": 128}
TINY = {
    "tensorf": {
        "density_components": 4,
        "appearance_components": 4,
        "features": 6,
        "hidden": 16,
        "first": 8,
        "last": 16,
        "upsample_at": [0.25, 0.5],
        "mask_at": [0.5, 0.75],
        "density_variation": 0.1,
    },
    "hull": 16,
    "sampler": {"guided": 6, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "checkpoint_seconds": 0.0,
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.mark.parametrize("preset", ["tensorf", "tensorf-cp"])
def test_from_views_to_a_report_and_back(preset, data, tiny, tmp_path, new_data, hashes, capsys):
    run = tmp_path / "run"
    collection = fit(data, run, config=tiny, preset=preset)
    record = RunRecord.load(run)
    assert record.finished and record.stage2 == [] and sorted(record.stage1) == sorted(collection.ids)
    assert collection.verify() == [] and collection.config["codec"] == "tensorf"
    assert collection.config["family"]["kind"] == ("cp" if preset == "tensorf-cp" else "vm")
    for name in collection:
        assert {"psnr", "foreground_psnr"} <= collection.entry(name).metrics.keys()
    code = collection["box_flat"].code()
    assert isinstance(code, TensorCodes) and code.grids[0].resolution > (8, 8, 8)
    # Boxes shrank with their grids, and are what is stored of the object.
    assert torch.equal(torch.as_tensor(collection.entry("box_flat").bounds).float(), code.grids[0].box)
    assert collection.ids[0] in (run / "report.html").read_text()
    before = hashes(run)
    add(run, new_data)
    assert "box_wide" in open_collection(run)
    after = hashes(run)
    assert all(after[name] == digest for name, digest in before.items() if name != "collection.json")
    if preset == "tensorf":
        figures = evaluate(run)
        stated = open_collection(run).entry("box_flat").metrics["psnr"]
        assert figures["objects"]["box_flat"]["psnr"] == pytest.approx(stated)
        assert main(["info", str(run)]) == 0
        assert "box_flat" in capsys.readouterr().out
        out = tmp_path / "a.png"
        assert main(["render", str(run), "--object", "box_flat", "--out", str(out), "--size", "12"]) == 0
        assert np.asarray(Image.open(out)).shape[:2] == (12, 12)


@pytest.mark.parametrize("step", [1, 3, 5, 6, 8])
def test_a_run_that_was_killed_ends_with_the_same_bytes(step, data, tiny, tmp_path, hashes, whole):
    class Killed(BaseException):
        pass

    def killed(name, done, total, **_):
        if name == "stage 1: tensors" and done == step:
            raise Killed

    with pytest.raises(Killed):
        fit(data, tmp_path / "killed", report=False, progress=killed, config=tiny, preset="tensorf")
    fit(data, tmp_path / "killed", resume=True, report=False)
    assert hashes(tmp_path / "killed") == whole


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory, hashes):
    """Of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.json").write_text(json.dumps(TINY))
    fit(data, folder / "run", report=False, config=folder / "tiny.json", preset="tensorf")
    return hashes(folder / "run")


def test_settings_go_through_json_and_are_checked():
    for name in ("tensorf", "tensorf-cp", "tensorf-paper"):
        settings = presets()[name]
        assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings
    paper = presets()["tensorf-paper"]
    assert (paper.stage1[0].steps, paper.last, paper.config().products) == (30_000, 300, 144)
    assert chosen_settings(None, {}, {}, "tensorf").preset == "tensorf"
    both = chosen_settings(None, {"preset": "tensorf", "tensorf": {"last": 96}}, {"tensorf": {"first": 48}})
    assert (both.first, both.last) == (48, 96)


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("octree", {"tensorf": {"last": 96}}, "settings.tensorf: the preset 'octree' has no tensor fields"),
        ("tensorf", {"tensorf": {"mask_at": [0.5, "a"]}}, "settings.mask_at: .* is not a list of numbers"),
        ("tensorf", {"tensorf": {"rank": 3}}, "no setting is called 'rank'"),
        ("tensorf", {"stage1": [PHASE, {**PHASE, "name": "more"}]}, "tensorf: its schedule is that of one phase"),
        ("tensorf", {"space": "latent"}, "tensorf: no setting is called 'space'"),
    ],
)
def test_wrong_settings_are_named(preset, changes, message):
    with pytest.raises(ConfigError, match=message):
        chosen_settings(preset, {}, changes)
