"""Priors over mixed classes: rows of a tiny run of voxels, and how near shapes are to known ones."""

import json

import numpy as np
import pytest

from benchmarks.priors import mixed_classes
from manyfields.runs import fit
from manyfields.views.inventory import make_inventory

pytest.importorskip("diffusers")
pytest.importorskip("skimage")

PHASE = {"name": "instances", "rgb": 1.0, "smoothness": 0.0, "objects_per_step": 4, "rays_per_object": 200}
TINY = {
    "mixture": {"hidden_layers": 1, "width": 16, "bases": 8, "latent": 4, "w0": 8.0},
    "signals": {"side": 12, "adaptation": "principal"},
    "stage1": [{**PHASE, "steps": 60, "base_rate": 0.003, "fields_rate": 0.003}],
    "stage2": [{**PHASE, "steps": 4}],
}


def test_near_is_what_is_known():
    some = [np.random.default_rng(seed).random((50, 3)) + seed for seed in range(4)]
    assert mixed_classes.to_nearest(some[:2], some) == 0.0
    assert mixed_classes.to_nearest(some[3:], some[:3]) > mixed_classes.to_nearest(some[1:2], some[:1] + some[2:]) * 0.5


def test_rows_of_every_way(tmp_path):
    for kind in ("vehicle", "vessel"):
        make_inventory(tmp_path / "meshes" / kind, kind, 4)
    fit(tmp_path / "meshes", tmp_path / "run", family="mixture-voxels", say=lambda line: None, **TINY)
    results = tmp_path / "rows.json"
    words = [str(tmp_path / "run"), "--work", str(tmp_path / "w"), "--samples", "4", "--steps", "5", "--side", "12"]
    mixed_classes.main([*words, "--results", str(results), "--draft"])
    found = {row["name"]: row for row in json.loads(results.with_suffix(".draft.json").read_text())}
    figures = ("coverage", "matching", "nearest_ratio")
    ways = ("diffusion", "gaussian", "neighbours", "diffusion_as_drawn")
    assert {f"mixed_classes.{way}.{figure}" for way in ways for figure in figures} < found.keys()
    assert all(0 <= found[f"mixed_classes.{way}.coverage"]["value"] <= 1 for way in ways)
    assert all((tmp_path / "w" / f"{way}.png").stat().st_size for way in ways)
