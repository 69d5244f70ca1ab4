"""Octrees from views to a collection, its figures and its report."""

import json

import pytest

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.octree.codes import QuantisedOctreeCodes
from manyfields.runs import RunRecord, add, evaluate, fit

RAYS = {"rgb": 1.0, "codes_rate": 0.1, "rays_per_object": 128}


@pytest.fixture
def plain(octree_settings) -> dict:
    return json.loads(octree_settings.read_text())


@pytest.fixture
def indices(plain) -> dict:
    """Settings of features that become indices."""
    stage1 = [
        {"name": "features", "steps": 4, "fields_rate": 0.01, **RAYS},
        {"name": "indices", "steps": 4, "indices": True, **RAYS},
    ]
    stage2 = [{"name": "indices", "steps": 3, "indices": True, **RAYS}]
    return {**plain, "octree": {**plain["octree"], "bits": 3}, "stage1": stage1, "stage2": stage2}


def test_octrees_from_views_to_a_report(data, octree_settings, tmp_path, new_data, hashes, capsys):
    run = tmp_path / "run"
    collection = fit(data, run, config=octree_settings, family="octree")
    record = RunRecord.load(run)
    assert record.finished and record.stage2 == [] and sorted(record.stage1) == sorted(collection.ids)
    assert collection.verify() == [] and collection.config["codec"] == "octree"
    assert collection.config["family"]["family"] == "octree" and collection.sizes()["waves"] == 1
    for name in collection:
        entry = collection.entry(name)
        assert len(entry.ranges) == 3
        assert {"psnr", "layer0_psnr", "layer1_psnr", "foreground_psnr"} <= entry.metrics.keys()
    assert record.curves and record.curves[-1]["held_out_psnr"] > 5
    report = (run / "report.html").read_text()
    assert all(name in report for name in collection.ids)
    figures = {level: evaluate(run, level=level) for level in (None, 1, 3)}
    assert figures[3]["mean"] == figures[None]["mean"] != figures[1]["mean"]
    stated = collection.entry("box_flat").metrics["layer0_psnr"]
    assert figures[1]["objects"]["box_flat"]["psnr"] == pytest.approx(stated)
    before = hashes(run)
    add(run, new_data)
    after = hashes(run)
    assert "box_wide" in open_collection(run)
    assert all(after[name] == digest for name, digest in before.items() if name != "collection.json")
    assert main(["info", str(run)]) == 0
    assert "Octrees: mean bytes of 5 objects" in capsys.readouterr().out
    assert main(["stream", str(run), "--object", "box_flat", "--out", str(tmp_path / "a.vq")]) == 1
    assert "has features without codebooks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "phase", "step"),
    [
        ("plain", "octrees", 4),
        ("indices", "features", 2),
        ("indices", "features", 4),
        ("indices", "indices", 1),  # while the levels that have indices are not all of them
        ("indices", "indices", 3),
    ],
)
def test_a_run_that_was_killed_ends_with_the_same_bytes(data, tmp_path, hashes, request, settings, phase, step):
    class Killed(BaseException):
        pass

    def killed(name, done, total, **_):
        if name == f"stage 1: {phase}" and done == step:
            raise Killed

    config = tmp_path / "settings.json"
    config.write_text(json.dumps(request.getfixturevalue(settings)))
    given = {"config": config, "preset": "octree-vq" if settings == "indices" else "octree"}
    fit(data, tmp_path / "whole", report=False, **given)
    with pytest.raises(Killed):
        fit(data, tmp_path / "killed", report=False, progress=killed, **given)
    fit(data, tmp_path / "killed", resume=True, report=False)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_indices_are_stored_streamed_and_added_to(data, new_data, tmp_path, indices, capsys):
    config, run = tmp_path / "indices.json", tmp_path / "run"
    config.write_text(json.dumps(indices))
    collection = fit(data, run, config=config, preset="octree-vq", report=False)
    name = collection.ids[0]
    code = collection[name].code()
    assert isinstance(code, QuantisedOctreeCodes)
    assert all(len(level.codebook) == 8 for level in code.levels[0])
    stream = tmp_path / "a.vq"
    assert main(["stream", str(run), "--object", name, "--out", str(stream)]) == 0
    assert main(["render", str(stream), "--out", str(tmp_path / "a.png")]) == 0
    add(run, new_data)
    assert isinstance(open_collection(run)["box_wide"].code(), QuantisedOctreeCodes)


@pytest.mark.parametrize(("preset", "octree"), [("octree", {"bits": 6}), ("octree-vq", {"bits": None})])
def test_bits_without_a_phase_for_indices_are_refused(data, tmp_path, preset, octree):
    with pytest.raises(ConfigError, match="bits and a phase with indices belong together"):
        fit(data, tmp_path / "run", preset=preset, octree=octree)
