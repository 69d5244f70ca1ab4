"""From views to a collection, through stops, bad data and repeated calls."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import RunError, ViewError
from manyfields.runs import RunRecord, add, fit
from manyfields.runs.sources.loading import load_objects
from manyfields.views import hold_out, read_views

IDS = ["ball_blue", "ball_red", "box_flat", "box_tall"]


class Killed(BaseException):
    """Stands for a death of the process: nothing catches it."""


def killed_at(call: int):
    """Progress that dies when it is called for the `call`-th time."""
    calls = 0

    def progress(*_, **__) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed

    return progress


def test_a_finished_run(run, data):
    collection, record = open_collection(run), RunRecord.load(run)
    assert sorted(collection.ids) == IDS and collection.verify() == []
    assert record.finished and record.size == (32, 32) and len(record.stage1) == 2
    assert sorted(record.stage1 + record.stage2) == IDS
    for name in IDS:
        entry = collection.entry(name)
        assert entry.metrics["stage"] == (1 if name in record.stage1 else 2)
        assert {"psnr", "foreground_psnr", "layer0_psnr", "layer0_foreground_psnr"} <= entry.metrics.keys()
        names = read_views(data)[name].names
        assert record.held_out[name]["views"] == [names[i] for i in hold_out(names, name)[1]]
    assert [len(entry.ranges) for entry in map(collection.entry, IDS)] == [2] * 4
    assert collection.sizes()["waves"] == 3


def test_the_same_seed_gives_the_same_bytes(run, data, settings, tmp_path, hashes):
    fit(data, tmp_path / "again", config=settings, stage1_objects=2, report=False)
    assert hashes(tmp_path / "again") == hashes(run)


def test_another_seed_gives_other_bytes(run, data, settings, tmp_path):
    other = fit(data, tmp_path / "other", config=settings, stage1_objects=2, report=False, seed=1)
    assert other.shared_hash != open_collection(run).shared_hash


@pytest.mark.parametrize(
    ("kind", "policy"), [("settings", "frozen"), ("settings", "joint"), ("rgb_settings", "frozen")]
)
def test_a_run_that_dies_again_and_again_ends_with_the_same_bytes(data, request, tmp_path, hashes, kind, policy):
    options = {"config": request.getfixturevalue(kind), "stage1_objects": 2, "policy": policy, "report": False}
    fit(data, tmp_path / "whole", **options)
    broken = tmp_path / "broken"
    for number in range(40):
        try:
            fit(data, broken, **options, resume=(broken / "run.json").exists(), progress=killed_at(12 + number % 6))
            break
        except Killed:
            continue
    else:
        pytest.fail("the run never came to its end")
    assert number > 2
    assert hashes(broken) == hashes(tmp_path / "whole")
    whole, again = RunRecord.load(tmp_path / "whole"), RunRecord.load(broken)
    points = [[{k: v for k, v in p.items() if k != "seconds"} for p in record.curves] for record in (whole, again)]
    assert points[0] == points[1] and len(points[0]) == sum(p.steps for p in whole.phases1) + (
        sum(p.steps for p in whole.phases2) * (1 if policy == "joint" else 2)
    )


def test_joint_policy_reports_both_parts(data, settings, tmp_path):
    collection = fit(data, tmp_path / "joint", config=settings, stage1_objects=2, policy="joint", report=False)
    record = RunRecord.load(tmp_path / "joint")
    stages = {name: collection.entry(name).metrics["stage"] for name in collection}
    assert stages == {**dict.fromkeys(record.stage1, 1), **dict.fromkeys(record.stage2, 2)}


def test_the_default_stores_hulls_between_weights_and_micro_planes(data, rgb_settings, tmp_path):
    collection = fit(data, tmp_path / "r", config=rgb_settings, stage1_objects=2, report=False)
    record = RunRecord.load(tmp_path / "r")
    assert collection.config["layers"] == [["weights", "bias"], ["hull"], ["micro"]]
    assert collection.verify() == [] and collection.config["autoencoder"] is None
    for name in IDS:
        entry, hull = collection.entry(name), collection[name].code().tensors["hull"]
        assert {f"layer{n}_{name}" for n in (0, 1) for name in ("psnr", "foreground_psnr")} <= entry.metrics.keys()
        assert hull.shape == (1, 16, 16, 16) and 0.2 < float(hull.float().mean()) < 1.0
        truth = load_objects([read_views(data)[name]], record)[0].hull
        assert torch.equal(hull[0], truth)
        assert bool((collection[name].code(1).tensors["hull"] == 1).all())  # absent: nothing is known


def test_no_report_can_be_had_later(data, settings, tmp_path):
    fit(data, tmp_path / "r", config=settings, report=False)
    assert not (tmp_path / "r" / "report.html").exists()
    fit(data, tmp_path / "r", resume=True)
    assert (tmp_path / "r" / "report.html").exists()


def test_minutes_become_recorded_steps(data, settings, tmp_path):
    fit(data, tmp_path / "r", config=settings, minutes=0.02, report=False)
    record = RunRecord.load(tmp_path / "r")
    one, two = (phase.steps for phase in record.phases1)
    # 1.2 s, less what storing takes, at a hundredth of a second a step.
    assert 30 < one + two + sum(phase.steps for phase in record.phases2) < 130
    assert two / one == pytest.approx(4 / 3, rel=0.1)


def test_a_folder_that_holds_a_run_is_not_overwritten(run, data, settings, hashes):
    before = hashes(run)
    with pytest.raises(RunError, match="holds a run already: go on with --resume"):
        fit(data, run, config=settings)
    assert hashes(run) == before


def unfinished(data: Path, settings: Path, run: Path) -> Path:
    with pytest.raises(Killed):
        fit(data, run, config=settings, stage1_objects=2, report=False, progress=killed_at(10))
    return run


def test_resuming_with_other_data(data, settings, tmp_path, new_data):
    run = unfinished(data, settings, tmp_path / "r")
    with pytest.raises(RunError, match="was fitted to .*set, not to .*new"):
        fit(new_data, run, resume=True)


def test_resuming_after_the_views_have_changed(data, settings, tmp_path):
    own = shutil.copytree(data, tmp_path / "own")
    run = unfinished(own, settings, tmp_path / "r")
    content = json.loads((own / "box_flat" / "transforms.json").read_text())
    content["frames"] = content["frames"][:-1]
    (own / "box_flat" / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="object box_flat has other views than when this run began"):
        fit(own, run, resume=True)
    shutil.rmtree(own / "box_flat")
    with pytest.raises(ViewError, match="object box_flat of this run is no longer there"):
        fit(own, run, resume=True)


def test_resuming_what_is_no_run(data, tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        fit(data, tmp_path, resume=True)


def test_bad_views_and_objects_are_set_aside_and_named(data, settings, tmp_path):
    own = shutil.copytree(data, tmp_path / "own")
    picture = own / "ball_red" / "rgba" / "004.png"
    picture.write_bytes(picture.read_bytes()[:100])
    (own / "box_tall" / "transforms.json").write_text('{"frames": [')
    said: list[str] = []
    collection = fit(own, tmp_path / "r", config=settings, report=False, say=said.append)
    assert sorted(collection.ids) == ["ball_blue", "ball_red", "box_flat"]
    assert any("set aside: object ball_red, view rgba/004" in line for line in said)
    assert any("set aside: object box_tall" in line for line in said)
    record = RunRecord.load(tmp_path / "r")
    assert {(p["object"], p["view"]) for p in record.problems} >= {("ball_red", "rgba/004"), ("box_tall", None)}
    assert record.held_out["ball_red"]["trained"] + len(record.held_out["ball_red"]["views"]) == 9


def losing(folder: Path, run: Path, dies_at: str | None = None):
    """Progress that takes the images of the first object of stage 2 away while stage 1 learns, and may die later."""

    def progress(phase: str, *_, **__) -> None:
        if phase.startswith("stage 1"):
            for picture in (folder / RunRecord.load(run).stage2[0] / "rgba").iterdir():
                picture.write_bytes(b"")
        if dies_at is not None and phase.startswith(dies_at):
            raise Killed

    return progress


@pytest.mark.parametrize("dies_at", ["stage 2.2", "stage 1: joint"])
def test_an_object_lost_after_the_check_moves_no_wave(data, settings, tmp_path, hashes, dies_at):
    runs = []
    for name in ("straight", "resumed"):
        own, run = shutil.copytree(data, tmp_path / name / "own"), tmp_path / name / "run"
        runs.append(run)
        if name == "straight":
            fit(own, run, config=settings, stage1_objects=2, report=False, progress=losing(own, run))
            continue
        with pytest.raises(Killed):
            fit(own, run, config=settings, stage1_objects=2, report=False, progress=losing(own, run, dies_at))
        planned = RunRecord.load(run).stage2
        fit(own, run, resume=True, report=False)
    records = [RunRecord.load(run) for run in runs]
    for record in records:
        assert record.stage2 == planned and record.lost == planned[:1]
        assert {name for name in record.seconds if name.startswith("stage 2.") and "/" not in name} == {"stage 2.2"}
    assert hashes(runs[0]) == hashes(runs[1])
    assert sorted(open_collection(runs[0]).ids) == sorted(set(IDS) - set(planned[:1]))


def test_useless_data_is_one_line_and_exit_status_1(tmp_path, capsys, shapes):
    folder = shapes.write_set(tmp_path / "useless", ["ball_red"], views=2)
    assert main(["fit", str(folder), "--out", str(tmp_path / "r")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and "no object is usable" in lines[-1]
    assert not (tmp_path / "r" / "run.json").exists()


@pytest.mark.parametrize("content", ["{", "[1]", '{"sead": 1}'])
def test_bad_config_is_named(data, tmp_path, content, capsys):
    config = tmp_path / "odd.json"
    config.write_text(content)
    assert main(["fit", str(data), "--out", str(tmp_path / "r"), "--config", str(config)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_tri_planes_in_rgb(data, settings, tmp_path):
    config = {name: value for name, value in json.loads(settings.read_text()).items() if name != "preset"}
    phase = {"name": "rays", "steps": 4, "rgb": 1.0, "fields_rate": 0.01, "rays_per_object": 64}
    changes = {**config, "stage1": [phase], "stage2": [{**phase, "fields_rate": 0.0}]}
    changes |= {"micro_features": 4, "macro_features": 0}
    collection = fit(data, tmp_path / "r", preset="tri-planes", stage1_objects=2, report=False, **changes)
    assert len(collection) == 4 and collection.encoder() is None
    assert [len(collection.entry(name).ranges) for name in collection] == [1] * 4
    images = collection[IDS[0]].render(read_views(data)[0].cameras[:2]).images
    assert images.shape == (1, 2, 3, 32, 32) and np.isfinite(images.numpy()).all()


class TestAdd:
    def test_nothing_that_is_stored_changes(self, run, new_data, hashes):
        before, manifest = hashes(run), json.loads((run / "collection.json").read_text())
        old = open_collection(run)
        layers = {name: old.layers(name) for name in old}
        collection = add(run, new_data)
        assert sorted(collection.ids) == sorted([*IDS, "box_wide"]) and collection.verify() == []
        after = hashes(run)
        assert all(after[name] == value for name, value in before.items() if name != "collection.json")
        assert {name: collection.layers(name) for name in layers} == layers
        extended = json.loads((run / "collection.json").read_text())
        changed = {name for name in manifest if manifest[name] != extended[name]}
        waves = next(name for name in changed if isinstance(manifest[name], list))
        assert extended[waves][:-1] == manifest[waves]
        assert collection.entry("box_wide").metrics["stage"] == 2

    def test_twice_is_harmless(self, run, new_data, hashes):
        add(run, new_data)
        before = hashes(run)
        add(run, new_data)
        assert hashes(run) == before

    def test_interrupted_then_repeated(self, run, new_data, tmp_path, hashes):
        other = shutil.copytree(run, tmp_path / "other")
        add(other, new_data)
        with pytest.raises(Killed):
            add(run, new_data, progress=killed_at(7))
        add(run, new_data)
        assert hashes(run) == hashes(other)

    def test_interrupted_then_given_other_objects(self, run, new_data, tmp_path, shapes, hashes):
        """The checkpoint of the interrupted call must not become the code of another object."""
        third = shapes.write(tmp_path / "third" / "cube", shapes.Shape("box", (0.4, 0.4, 0.4)))
        other = shutil.copytree(run, tmp_path / "other")
        add(other, third.parent)
        with pytest.raises(Killed):
            add(run, new_data, progress=killed_at(9))
        add(run, third.parent)
        assert hashes(run) == hashes(other)

    def test_minutes(self, run, new_data):
        assert "box_wide" in add(run, new_data, minutes=0.01)

    def test_bad_objects_are_named_and_the_rest_is_added(self, run, new_data, shapes):
        shapes.write(new_data / "poor", shapes.EXAMPLES["ball_red"], views=2)
        said: list[str] = []
        collection = add(run, new_data, say=said.append)
        assert "box_wide" in collection and "poor" not in collection
        assert any("set aside: object poor" in line for line in said)

    def test_useless_data(self, run, tmp_path, shapes, hashes):
        before = hashes(run)
        folder = shapes.write_set(tmp_path / "useless", ["box_wide"], views=2)
        with pytest.raises(ViewError, match="useless: no object is usable"):
            add(run, folder)
        assert hashes(run) == before

    def test_a_run_that_is_not_finished(self, data, settings, tmp_path, new_data):
        run = unfinished(data, settings, tmp_path / "r")
        with pytest.raises(RunError, match=r"is not finished: go on with `manyfields fit .* --resume`"):
            add(run, new_data)

    def test_without_the_encoder_file(self, run, new_data):
        next(run.glob("encoder-*")).unlink()
        from manyfields.errors import CollectionError

        with pytest.raises(CollectionError, match="encoder-"):
            add(run, new_data)


def test_an_object_that_is_stored_already_is_passed_over_by_name(run, shapes, tmp_path, capsys):
    changed = shapes.write_set(tmp_path / "changed", ["box_flat"])
    before = {path.name: path.read_bytes() for path in run.glob("codes-*")}
    assert main(["add", str(run), str(changed)]) == 0
    said = capsys.readouterr().out
    assert said == "0 objects added, 1 passed over: box_flat is stored already\n"
    assert {path.name: path.read_bytes() for path in run.glob("codes-*")} == before
