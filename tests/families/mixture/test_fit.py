"""Mixtures of scenes from views to a collection, its figures and its report."""

import json

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.registry import new_fitter, new_shared, presets
from manyfields.fitting.data import FittingData, load_object
from manyfields.runs import RunRecord, add, evaluate, fit
from manyfields.runs.settings import chosen_settings, settings_from_json, settings_to_json
from manyfields.views import read_views

PHASE = {"name": "mixture", "rgb": 1.0, "smoothness": 0.0, "emptiness": 0.1, "codes_rate": 0.05}
SMALL = {"objects_per_step": 2, "rays_per_object": 64}
TINY = {
    "mixture": {"hidden_layers": 2, "width": 16, "bases": 6, "latent": 4, "w0": 10.0, "guide_side": 8},
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "checkpoint_seconds": 0.0,
    "wave": 1,
    "stage1": [{**PHASE, **SMALL, "steps": 12, "base_rate": 0.002, "fields_rate": 0.002}],
    "stage2": [{**PHASE, **SMALL, "steps": 5}],
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


def test_from_views_to_a_report_and_back(data, tmp_path, config, new_data, hashes, capsys):
    run = tmp_path / "run"
    collection = fit(data, run, config=config, family="mixture", stage1_objects=2)
    record = RunRecord.load(run)
    assert record.finished and (len(record.stage1), len(record.stage2)) == (2, 2)
    assert collection.verify() == [] and collection.config["family"]["family"] == "mixture"
    entry = collection.entry("box_flat")
    assert entry.bytes == 2 * 4 and collection["box_flat"].code().tensors["latent"].shape == (1, 4)
    assert collection["box_flat"].render(orbit(1, width=8, height=8)).images.shape == (1, 1, 3, 8, 8)
    assert "held_out_psnr" in record.curves[-1] and collection.ids[0] in (run / "report.html").read_text()
    assert evaluate(run)["objects"]["box_flat"]["psnr"] == pytest.approx(entry.metrics["psnr"])
    before = hashes(run)
    add(run, new_data, report=False)
    after = hashes(run)
    assert "box_wide" in open_collection(run)
    assert all(after[name] == digest for name, digest in before.items() if name != "collection.json")
    assert main(["info", str(run)]) == 0
    assert "family.bases" in capsys.readouterr().out
    assert main(["render", str(run), "--object", "box_wide", "--out", str(tmp_path / "a.png"), "--size", "16"]) == 0


@pytest.mark.parametrize(("stage", "step"), [("stage 1", 7), ("stage 2.1", 3)])
def test_a_run_that_was_killed_ends_with_the_same_bytes(data, tmp_path, config, hashes, stage, step):
    class Killed(BaseException):
        pass

    def killed(name, done, total, **_):
        if name == f"{stage}: mixture" and done == step:
            raise Killed

    given = {"config": config, "family": "mixture", "stage1_objects": 3, "report": False}
    fit(data, tmp_path / "whole", **given)
    with pytest.raises(Killed):
        fit(data, tmp_path / "killed", progress=killed, **given)
    fit(data, tmp_path / "killed", resume=True, report=False)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_the_joint_policy_and_the_papers_sampling(data, tmp_path):
    spread = {"stratified": 6, "importance": 0}
    changes = {
        **TINY,
        "preset": "mixture-paper",
        "mixture": {**TINY["mixture"], "guide_side": 0},
        "hull": 0,
        "sampler": spread,
        "final_sampler": spread,
        "policy": "joint",
    }
    (tmp_path / "paper.json").write_text(json.dumps(changes))
    collection = fit(data, tmp_path / "run", config=tmp_path / "paper.json", stage1_objects=2, report=False)
    assert len(collection) == 4 and RunRecord.load(tmp_path / "run").settings.policy == "joint"
    codes = torch.cat([collection[name].code().tensors["latent"] for name in collection])
    assert codes.unique(dim=0).shape == (4, 4)


def test_settings_go_through_json_and_are_checked():
    for name in ("mixture", "mixture-paper"):
        settings = presets()[name]
        assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings
        assert settings.config().network == 17_156 and settings.config().learnable == 4_590_080
        assert settings.family == "mixture"
    assert chosen_settings(None, {}, {}, "mixture").preset == "mixture"


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("tensorf", {"mixture": {"bases": 9}}, "settings.mixture: the preset 'tensorf' has no mixture"),
        ("mixture", {"mixture": {"bases": 3.5}}, "settings.bases: 3.5 is not a whole number"),
        ("mixture", {"mixture": {"signal": "images"}}, "settings.mixture.signal: the preset 'mixture' is of scenes"),
        ("mixture", {"start": "hull"}, "'hull' is not one of average, principal"),
        ("mixture", {"space": "latent", "hull": 0}, "mixture: no setting is called 'space'"),
        ("mixture", {"hull": 0}, "start 'principal' needs hulls and guides"),
        ("fused-planes", {"start": "principal"}, "'principal' is not one of average, hull"),
    ],
)
def test_wrong_settings_are_named(preset, changes, message):
    with pytest.raises(ConfigError, match=message):
        chosen_settings(preset, {}, changes)


@pytest.mark.parametrize("start", ["principal", "average"])
def test_where_latent_vectors_of_stage_1_start(data, config, start):
    settings = chosen_settings("mixture", json.loads(config.read_text()), {"start": start})
    objects = FittingData([load_object(item, (16, 16), seed=0, hull=8) for item in read_views(data)])
    found = new_fitter(settings, new_shared(settings, objects.objects), objects, average=False).store.codes["latent"]
    again = new_fitter(settings, new_shared(settings, objects.objects), objects, average=False).store.codes["latent"]
    assert torch.equal(found, again) and found.shape == (len(objects), 4)
    # Principal components have no correlation; random numbers do.
    products = found.T @ found / len(objects)
    off = float((products - products.diagonal().diag()).abs().max())
    assert (off < 1e-3) == (start == "principal")
