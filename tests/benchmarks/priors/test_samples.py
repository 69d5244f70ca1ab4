"""The benchmark of priors: rows of a tiny run, as samples are usually made and as they are drawn."""

import json
import sys

import numpy as np
import pytest
from torch import nn

from benchmarks.priors import samples
from manyfields.evaluation.image_features import ImageFeatures
from manyfields.runs import fit

pytest.importorskip("diffusers")
pytest.importorskip("skimage")

RAYS = {"name": "rays", "steps": 5, "rgb": 1.0, "emptiness": 0.01, "rays_per_object": 64, "objects_per_step": 2}
TINY = {
    "micro_features": 3,
    "macro_features": 5,
    "resolution": 16,
    "hidden": 16,
    "weight_groups": 5,
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [{**RAYS, "base_rate": 0.01, "fields_rate": 0.005}],
    "stage2": [RAYS],
}
FEATURES = ImageFeatures("pooled", nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()))


@pytest.fixture
def rows(tmp_path, shapes, monkeypatch):
    """Runs the script; returns all rows it has written so far."""
    monkeypatch.setattr(samples, "load_image_features", lambda: FEATURES)
    drawn = np.random.default_rng(0)
    # After five steps there is no surface yet.
    monkeypatch.setattr(
        samples.Bench, "shapes", lambda bench, objects: [drawn.random((20, 3)) for _ in range(len(objects))]
    )
    data = shapes.write_set(tmp_path / "views", ["ball_blue", "ball_red", "box_flat", "box_tall"])
    fit(data, tmp_path / "run", report=False, say=lambda line: None, **TINY)
    results = tmp_path / "rows.json"
    words = ["samples", str(tmp_path / "run"), "--work", str(tmp_path / "w"), "--size", "32", "--images", "8"]
    words += ["--samples", "3", "--steps", "4", "--results", str(results), "--draft"]

    def call(*flags: str) -> dict[str, float]:
        monkeypatch.setattr(sys, "argv", [*words, *flags])
        samples.main()
        return {row["name"]: row["value"] for row in json.loads(results.with_suffix(".draft.json").read_text())}

    return call


def test_rows_and_pictures(rows, tmp_path):
    usual = rows()
    ratio = usual["prior.fused_planes.fid"] / usual["prior.fused_planes.fid_gaussian"]
    assert usual["prior.fused_planes.fid_over_gaussian"] == pytest.approx(ratio)
    figures = {"fid_reconstruction", "precision", "recall", "coverage", "matching", "memorisation_ratio"}
    assert {f"prior.fused_planes.{name}" for name in figures} < usual.keys()
    both = rows("--as-drawn")
    assert usual.items() < both.items(), "rows of the usual samples stay"
    assert both["prior.fused_planes_as_drawn.fid"] != usual["prior.fused_planes.fid"]
    for side in ("fid_reconstruction", "fid_training", "fid_gaussian", "fid_neighbours"):
        assert both[f"prior.fused_planes_as_drawn.{side}"] == usual[f"prior.fused_planes.{side}"]
    pictures = {path.stem for path in (tmp_path / "w").glob("*.png")}
    assert pictures == {"diffusion", "diffusion-as-drawn", "gaussian", "neighbours", "pairs", "pairs-as-drawn"}
