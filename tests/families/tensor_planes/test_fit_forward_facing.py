"""A forward-facing scene: a real mesh, rendered from a plane of cameras, fitted in normalised device coordinates."""

import json

import numpy as np
import pytest
from PIL import Image

from manyfields.runs import fit
from manyfields.views.render_set import render_set


@pytest.fixture
def scene(shared, tmp_path):
    """Sixteen views of the water bottle."""
    pytest.importorskip("vtk")
    mesh = shared / "data/models/detail/WaterBottle.glb"
    render_set(mesh, tmp_path / "views", views=16, size=40, viewpoints="plane", depth=False)
    return tmp_path / "views" / mesh.stem


def test_a_scene_seen_from_one_side_is_learned_and_stored(scene, tmp_path):
    phase = {"name": "tensors", "steps": 120, "rgb": 1.0, "smoothness": 0.0, "codes_rate": 0.02, "fields_rate": 2e-3}
    config = {
        "tensorf": {"scene": "forward", "first": 24, "last": 32, "hidden": 32},
        "held_out": 0.2,
        "hull": 32,
        "stage1": [{**phase, "rays_per_object": 1024, "final_rate": 0.1}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    collection = fit(scene, tmp_path / "run", preset="tensorf", config=tmp_path / "config.json", report=False)
    (name,) = collection.ids
    stored = collection[name].code().grids[0]
    assert stored.map is not None and float(stored.box.abs().max()) <= 1.0
    covered = (np.asarray(Image.open(scene / "rgba" / "005.png"))[..., 3] > 0).mean()
    assert 0.05 < covered < 0.9
    assert collection.entry(name).metrics["psnr"] > 18
