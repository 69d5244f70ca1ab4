"""Images and voxels from folders to a collection: fit, resume, add, eval, and what is set aside by name."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.families.registry import presets
from manyfields.generation import PriorSettings
from manyfields.runs import RunRecord, add, evaluate, fit, interpolate, plan, render_object, sample, train_prior
from manyfields.runs.settings import chosen_settings, settings_from_json, settings_to_json
from manyfields.views.instances import read_images

PHASE = {"name": "instances", "rgb": 1.0, "smoothness": 0.0, "views_per_object": 1, "objects_per_step": 4}
SMALL = {**PHASE, "rays_per_object": 40, "codes_rate": 0.03}
TINY = {
    "mixture": {"hidden_layers": 1, "width": 8, "bases": 4, "latent": 3, "w0": 10.0},
    "signals": {"side": 8},
    "checkpoint_seconds": 0.0,
    "wave": 2,
    "stage1": [{**SMALL, "steps": 10, "base_rate": 0.003, "fields_rate": 0.003}],
    "stage2": [{**SMALL, "steps": 4}],
}


def write_images(folder, names, side=12):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name in names:
        low = random.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(low).resize((side, side), Image.Resampling.BILINEAR).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def images(tmp_path):
    """Ten small images, and one file that is none."""
    folder = write_images(tmp_path / "images", [f"i{n}" for n in range(10)])
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture
def meshes(tmp_path):
    """Three solids, one open surface, and one file that is no mesh."""
    trimesh = pytest.importorskip("trimesh")
    folder = tmp_path / "meshes"
    folder.mkdir()
    for name, size in (("box", (1, 1, 1)), ("slab", (1, 1, 0.5)), ("tower", (0.5, 0.5, 1))):
        trimesh.creation.box(size).export(folder / f"{name}.ply")
    box = trimesh.creation.box((1, 1, 1))
    trimesh.Trimesh(box.vertices, box.faces[2:], process=False).export(folder / "open.ply")
    (folder / "broken.ply").write_bytes(b"no mesh")
    return folder


@pytest.fixture(params=["auto-decoding", "principal", "meta", "meta-first-order"])
def config(request, tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps({**TINY, "signals": {"side": 8, "adaptation": request.param}}))
    return path


@pytest.mark.parametrize(
    ("minutes", "learning", "adapting"),
    # A step takes 3 s with the shared part, 1 s without: 54 s a minute for 2 waves of 4 steps and 10 of stage 1.
    [(1.0, (54 - 2 * 4) / 3, 4), (2.0, (108 - 2 * 4) / 3, 4), (0.1, 2.7 / 3, 1)],
)
def test_minutes_are_for_both_stages(images, tmp_path, monkeypatch, minutes, learning, adapting):
    def seconds(make, phases, clock):
        return [3.0 if phase.base_rate and make().parts(phase) else 1.0 for phase in phases]

    monkeypatch.setattr(plan, "seconds_per_step", seconds)
    config = {**TINY, "signals": {"side": 8, "adaptation": "principal"}, "stage1_objects": 6}
    run = tmp_path / "run"
    fit(images, run, family="mixture-images", minutes=minutes, fitting_alone=True, report=False, **config)
    record = RunRecord.load(run)
    assert [phase.steps for phase in record.phases1] == [max(1, round(learning))]
    assert [phase.steps for phase in record.phases2] == [phase.steps for phase in record.settings.stage2] == [adapting]
    assert sum(name.startswith("stage 2.") and "/" in name for name in record.seconds) == 2, "waves of two"


def test_images_from_a_folder_to_figures_and_back(images, tmp_path, config, hashes, capsys):
    run, said = tmp_path / "run", []
    collection = fit(images, run, family="mixture-images", config=config, say=said.append)
    assert len(said) == 1 and said[0].startswith("set aside: object broken: ") and "broken.jpg" in said[0]
    record = RunRecord.load(run)
    assert record.finished and (len(record.stage1), len(record.stage2)) == (9, 1)
    assert collection.verify() == [] and len(collection) == 10 and "i3" in collection
    assert collection.config["family"]["signal"] == "images" and collection.entry("i0").bytes == 6
    figures = evaluate(run)
    assert figures["objects"]["i3"]["psnr"] == pytest.approx(collection.entry("i3").metrics["psnr"])
    assert figures["stages"]["stage2"]["objects"] == 1
    assert figures["notes"][1].startswith("stage 2 (unseen): objects 1, psnr ")
    before = hashes(run)
    write_images(tmp_path / "more", ["new0", "new1", "new2"])
    add(run, tmp_path / "more")
    after = hashes(run)
    assert len(open_collection(run)) == 13
    assert all(after[name] == digest for name, digest in before.items() if name != "collection.json")
    assert len(evaluate(run)["objects"]) == 13
    assert main(["info", str(run)]) == 0 and main(["eval", str(run)]) == 0
    assert "images" in capsys.readouterr().out


def test_what_learns_beats_what_does_not(images, tmp_path):
    """More steps, nearer images: of those that are learned."""
    found = {}
    for steps in (1, 150):
        changes = {**TINY, "stage1": [{**TINY["stage1"][0], "steps": steps}]}
        (tmp_path / "c.json").write_text(json.dumps({**changes, "signals": {"side": 8, "adaptation": "auto-decoding"}}))
        fit(images, tmp_path / str(steps), family="mixture-images", config=tmp_path / "c.json")
        found[steps] = evaluate(tmp_path / str(steps))["stages"]["stage1"]["psnr"]
    assert found[150] > found[1] + 3


@pytest.mark.parametrize(
    ("adaptation", "stage", "step"),
    [
        ("auto-decoding", "stage 1", 4),
        ("auto-decoding", "stage 2.1", 2),
        ("meta", "codes 1.2", 1),
        ("principal", "stage 1", 4),
        ("principal", "codes 1.2", 1),
    ],
)
def test_a_run_that_was_killed_ends_with_the_same_bytes(images, tmp_path, hashes, adaptation, stage, step):
    class Killed(BaseException):
        pass

    def killed(name, done, total, **_):
        if name == f"{stage}: instances" and done == step:
            raise Killed

    signals = {"side": 8, "adaptation": adaptation, "refine": True}
    (tmp_path / "c.json").write_text(json.dumps({**TINY, "signals": signals}))
    given = {"family": "mixture-images", "config": tmp_path / "c.json", "stage1_objects": 6}
    fit(images, tmp_path / "whole", **given)
    with pytest.raises(Killed):
        fit(images, tmp_path / "killed", progress=killed, **given)
    with pytest.raises(RunError, match="is not finished"):
        add(tmp_path / "killed", images)
    fit(images, tmp_path / "killed", resume=True)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")
    shutil.rmtree(images)
    write_images(images, ["i0"])
    assert len(fit(images, tmp_path / "whole", resume=True)) == 10


def test_a_resumed_run_misses_what_is_gone(images, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(TINY))

    def stop(name, done, total, **_):
        if name.startswith("stage 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(images, tmp_path / "run", family="mixture-images", config=tmp_path / "c.json", progress=stop)
    (images / "i4.png").unlink()
    with pytest.raises(ViewError, match="i4 of this run is no longer there"):
        fit(images, tmp_path / "run", resume=True)


def test_vectors_of_meta_learning_learn_on_if_asked(images, tmp_path):
    psnr = {}
    for refine in (False, True):
        changes = {**TINY, "signals": {"side": 8, "adaptation": "meta", "refine": refine}}
        changes["mixture"] = {**TINY["mixture"], "bases": 16, "latent": 12}
        changes["stage1"] = [{**TINY["stage1"][0], "steps": 60}]
        changes["stage2"] = [{**SMALL, "rays_per_object": 64, "steps": 60}]
        (tmp_path / "c.json").write_text(json.dumps(changes))
        fit(images, tmp_path / str(refine), family="mixture-images", config=tmp_path / "c.json")
        psnr[refine] = {name: own["psnr"] for name, own in evaluate(tmp_path / str(refine))["stages"].items()}
    assert all(psnr[True][stage] > psnr[False][stage] + 0.5 for stage in ("stage1", "stage2"))


def test_voxels_of_meshes(meshes, tmp_path, config):
    said = []
    collection = fit(
        meshes, tmp_path / "run", family="mixture-voxels", config=config, stage1_objects=2, say=said.append
    )
    assert sorted(collection.ids) == ["box", "slab", "tower"]
    assert any("object broken" in line for line in said)
    assert any("object open" in line and "has no interior at 8^3 voxels" in line for line in said)
    metrics = collection.entry("box").metrics
    assert 0 <= metrics["iou"] <= 1 and metrics["psnr"] > 0
    figures = evaluate(tmp_path / "run")
    assert figures["objects"]["box"]["iou"] == pytest.approx(metrics["iou"])
    render_object(tmp_path / "run", "box", tmp_path / "a.png", size=16, views=2)
    assert Image.open(tmp_path / "a.png").size == (32, 16)


def test_a_rendered_image_is_the_one_that_was_measured(images, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(TINY))
    run = tmp_path / "run"
    collection = fit(images, run, family="mixture-images", config=tmp_path / "c.json")
    render_object(run, "i3", tmp_path / "a.png", size=8)
    found = np.asarray(Image.open(tmp_path / "a.png")).astype(float)
    truth = read_images(images, 8).instances[3].values.reshape(8, 8, 3).astype(float)
    psnr = -10 * np.log10(np.square((found - truth) / 255).mean())
    assert psnr == pytest.approx(collection.entry("i3").metrics["psnr"], abs=0.1)


@pytest.mark.parametrize("kind", ["images", "voxels"])
def test_priors_draw_instances(kind, images, meshes, tmp_path):
    """New ones as a collection with a sheet of them, and pictures of what lies between."""
    pytest.importorskip("diffusers")
    data = images if kind == "images" else meshes
    changes = TINY | {"stage1_objects": 3, "signals": {"side": 8, "adaptation": "principal"}}
    run = fit(data, tmp_path / "run", family=f"mixture-{kind}", say=lambda line: None, **changes)
    train_prior(tmp_path / "run", PriorSettings(width=16, blocks=1, steps=20, batch=4))
    made = sample(tmp_path / "run", tmp_path / "new", count=3, seed=1, size=16)
    assert made.verify() == [] and made.shared_hash == run.shared_hash and len(made) == 3
    sheet = np.asarray(Image.open(tmp_path / "new" / "samples.png"))
    assert sheet.shape == (32, 32, 3)
    render_object(tmp_path / "new", made.ids[0], tmp_path / "a.png", size=16)
    again = np.asarray(Image.open(tmp_path / "a.png"))
    assert again.shape == (16, 16, 3) and (kind == "voxels" or np.array_equal(again, sheet[:16, :16]))
    interpolate(tmp_path / "run", run.ids[:2], tmp_path / "row.png", side=3, size=16)
    row = np.asarray(Image.open(tmp_path / "row.png"))
    assert row.shape == (16, 48, 3)
    if kind == "images":
        render_object(tmp_path / "run", run.ids[0], tmp_path / "first.png", size=16)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "first.png")), row[:, :16])


def test_the_command_line(images, tmp_path, capsys):
    (tmp_path / "c.json").write_text(json.dumps(TINY))
    words = ["fit", "mixture-images", str(images), "--out", str(tmp_path / "run"), "--config"]
    words += [str(tmp_path / "c.json"), "--adaptation", "meta-first-order", "--side", "9", "--minutes", "0.01"]
    assert main(words) == 0
    printed = capsys.readouterr()
    run = tmp_path / "run"
    assert printed.out == f"collection in {run}, its report in {run / 'report.html'}\n" and "broken" in printed.err
    settings = RunRecord.load(tmp_path / "run").settings
    assert (settings.adaptation, settings.side) == ("meta-first-order", 9)
    assert main(["render", str(tmp_path / "run"), "--object", "i0", "--out", str(tmp_path / "a.png")]) == 0
    assert Image.open(tmp_path / "a.png").size == (256, 256)


def test_settings_go_through_json_and_are_checked():
    for name in ("mixture-images", "mixture-voxels", "mixture-images-paper", "mixture-voxels-paper"):
        settings = presets()[name]
        assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings
        assert settings.family in name
    paper = presets()["mixture-images-paper"]
    assert (paper.config().network, paper.config().learnable) == (83_331, 33_378_048)
    assert paper.config().code_spread == 0.01 and presets()["mixture"].config().code_spread == 1.0


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("mixture", {"signals": {"side": 9}}, "settings.signals: the preset 'mixture' has no images or voxels"),
        ("mixture-images", {"signals": {"side": 2}}, "side: at least 4"),
        ("mixture-images", {"signals": {"adaptation": "magic"}}, "settings.adaptation: 'magic' is not one of meta"),
        (
            "mixture-images",
            {"mixture": {"signal": "scenes"}},
            "settings.mixture.signal: the preset 'mixture-images' is of images",
        ),
    ],
)
def test_wrong_settings_are_named(preset, changes, message):
    with pytest.raises(ConfigError, match=message):
        chosen_settings(preset, {}, changes)


def test_one_instance_alone_shares_nothing(tmp_path):
    folder = write_images(tmp_path / "one", ["a"])
    with pytest.raises(ViewError, match="holds one instance alone"):
        fit(folder, tmp_path / "run", family="mixture-images")


def test_instances_are_named_moved_and_shown_as_views_are(images, tmp_path):
    """What the common way has: objects by name, folders that have moved, minutes, losses set aside, the report."""
    run, names = tmp_path / "run", [f"i{n}" for n in range(6)]
    collection = fit(images, run, family="mixture-images", objects=names, **TINY)
    record = RunRecord.load(run)
    assert sorted(collection.ids) == names
    assert record.held_out["i0"].pop("digest") != record.held_out["i1"]["digest"]
    assert record.held_out["i0"] == {"source": 0, "views": [], "trained": 1}
    with pytest.raises(ViewError, match="has no object 'x'; it has i0, "):
        fit(images, tmp_path / "other", family="mixture-images", objects=["x"], **TINY)
    page = (run / "report.html").read_text()
    assert "<h2>Pictures</h2>" in page and "each an image of 8×8 pixels" in page and page.count("view whole") >= 6
    assert evaluate(run, level=1)["objects"] == evaluate(run)["objects"]
    (run / "report.html").unlink()
    moved = images.rename(tmp_path / "elsewhere")
    with pytest.raises(ViewError, match="which are gone"):
        evaluate(run)
    assert len(evaluate(run, data=[moved])["objects"]) == 6
    write_report = fit(moved, run, resume=True)
    assert len(write_report) == 6 and (run / "report.html").exists()
    (moved / "i2.png").unlink()
    assert evaluate(run, data=[moved])["notes"][0] == "1 instances are no longer there and not measured: i2"


def test_an_added_wave_takes_the_minutes_it_is_given(images, tmp_path, steady_pilots):
    """A hundredth of a second a step: half of a hundredth of a minute is kept for steps in any case."""
    run = tmp_path / "run"
    fit(images, run, family="mixture-images", report=False, **TINY)
    add(run, write_images(tmp_path / "more", ["new0", "new1"]), minutes=0.01, report=False)
    last = RunRecord.load(run).curves[-1]
    assert last["stage"].startswith("add.") and 30 <= last["step"] <= 60
