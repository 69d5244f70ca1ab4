"""Figures come from stored bytes and held-out views, and equal those of an independent computation."""

import json

import numpy as np
import pytest
from PIL import Image

from manyfields.collection import open_collection
from manyfields.errors import CollectionError, RunError, ViewError
from manyfields.runs import RunRecord, add, evaluate
from manyfields.runs.sources.held_out import held_out_views
from manyfields.views import read_views


def independent_psnr(run, data, name: str, level: int | None = None) -> float:
    """PSNR from what the public interface renders and what Pillow reads."""
    views = read_views(data)[name]
    held_out = RunRecord.load(run).held_out[name]["views"]
    index = [views.names.index(view) for view in held_out]
    rendered = open_collection(run)[name].render(views.cameras[index], level=level).images[0].double().numpy()
    figures = []
    for image, view in zip(rendered, held_out, strict=True):
        rgba = np.asarray(Image.open(data / name / f"{view}.png")).astype(float) / 255
        truth = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
        figures.append(-10 * np.log10(((image.transpose(1, 2, 0) - truth) ** 2).mean()))
    return float(np.mean(figures))


def test_figures_equal_an_independent_psnr(run, data):
    figures = evaluate(run)
    collection = open_collection(run)
    for name, scores in figures["objects"].items():
        assert scores["psnr"] == pytest.approx(independent_psnr(run, data, name), abs=1e-3)
        assert scores["psnr"] == pytest.approx(collection.entry(name).metrics["psnr"], abs=1e-4)
    assert figures["mean"]["psnr"] == pytest.approx(np.mean([s["psnr"] for s in figures["objects"].values()]))
    assert {name: stage["objects"] for name, stage in figures["stages"].items()} == {"stage1": 2, "stage2": 2}
    assert json.loads(json.dumps(figures)) == figures


def test_progress_counts_views(run):
    seen = []
    evaluate(run, progress=lambda phase, done, total, **_: seen.append((phase, done, total)))
    views = sum(len(each["views"]) for each in RunRecord.load(run).held_out.values())
    assert seen == [("held-out views", number + 1, views) for number in range(views)]


def test_layer_0_alone(run, data):
    figures = evaluate(run, level=1)
    for name, scores in figures["objects"].items():
        assert scores["psnr"] == pytest.approx(independent_psnr(run, data, name, level=1), abs=1e-3)
        assert scores["psnr"] == pytest.approx(open_collection(run).entry(name).metrics["layer0_psnr"], abs=1e-4)
    assert figures["mean"]["psnr"] != evaluate(run)["mean"]["psnr"]


def test_only_held_out_views_are_looked_at(run, tmp_path, shapes):
    """Training images may be gone; a held-out one may not."""
    new = shapes.write_set(tmp_path / "more", ["box_wide"])
    add(run, new)
    before = evaluate(run)
    record = RunRecord.load(run)
    for _, (held,) in held_out_views(open_collection(run), record):
        assert held.names
    held_out = record.held_out["box_wide"]["views"]
    for picture in (new / "box_wide" / "rgba").glob("*.png"):
        if f"rgba/{picture.stem}" not in held_out:
            picture.write_bytes(b"")
    assert evaluate(run) == before
    (new / "box_wide" / f"{held_out[0]}.png").write_bytes(b"")
    with pytest.raises(ViewError, match=f"object box_wide, view {held_out[0]}"):
        evaluate(run)


def test_a_held_out_view_that_is_no_longer_listed(run, tmp_path, shapes):
    new = shapes.write_set(tmp_path / "more", ["box_wide"])
    add(run, new)
    held_out = RunRecord.load(run).held_out["box_wide"]["views"]
    path = new / "box_wide" / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"] = [f for f in content["frames"] if f["file_path"] != f"{held_out[0]}.png"]
    path.write_text(json.dumps(content))
    with pytest.raises(ViewError, match=f"object box_wide no longer has its held-out view {held_out[0]}"):
        evaluate(run)


@pytest.mark.parametrize("kind", ["codes", "shared", "objects"])
def test_damaged_files(run, kind):
    path = sorted(run.glob(f"{kind}-*"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CollectionError, match=path.name) as caught:
        evaluate(run)
    assert "\n" not in str(caught.value)


def test_a_run_without_held_out_views(run):
    record = RunRecord.load(run)
    for held in record.held_out.values():
        held["views"] = []
    record.save(run)
    with pytest.raises(RunError, match="no held-out views"):
        evaluate(run)
