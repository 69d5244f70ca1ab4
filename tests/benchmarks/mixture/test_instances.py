"""The benchmark of mixtures: rows of a tiny run under a name of its own, and steps to a quality."""

import json
import sys
from types import SimpleNamespace

import numpy as np
from PIL import Image

from benchmarks.mixture import instances


def test_steps_to_a_quality_are_those_of_stage_1():
    points = [("stage 1", 10, 19.0), ("stage 1", 20, 22.5), ("stage 1", 30, 21.0), ("stage 2.1", 5, 30.0)]
    curves = [{"stage": stage, "step": step, "held_out_psnr": psnr} for stage, step, psnr in points]
    curves.insert(1, {"stage": "stage 1", "step": 15})
    found = {row.name: row.value for row in instances.times_to(SimpleNamespace(curves=curves), "some", "how")}
    assert found == {"mixture.some.steps_to_20_db": 20, "mixture.some.steps_to_22_db": 20}


def test_a_run_has_rows_of_its_name(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"i{number}.png")
    phase = {"name": "instances", "rgb": 1.0, "smoothness": 0.0, "steps": 4, "objects_per_step": 4}
    changes = {
        "mixture": {"hidden_layers": 1, "width": 8, "bases": 4, "latent": 3},
        "signals": {"side": 8},
        "stage1": [{**phase, "base_rate": 0.003, "fields_rate": 0.003}],
        "stage2": [phase],
    }
    results = tmp_path / "rows.json"
    words = ["instances", "images", "--data", str(folder), "--work", str(tmp_path / "w"), "--name", "few"]
    words += ["--minutes", "0.02", "--stage1-objects", "6", "--changes", json.dumps(changes)]
    monkeypatch.setattr(sys, "argv", [*words, "--results", str(results), "--draft"])
    instances.main()
    found = {row["name"]: row["value"] for row in json.loads(results.with_suffix(".draft.json").read_text())}
    assert (tmp_path / "w" / "few" / "collection.json").exists()
    assert found["mixture.few.psnr_train"] > 0 and found["mixture.few.psnr_unseen"] > 0
    assert found["mixture.few.object_bytes"] == 2 * 3
