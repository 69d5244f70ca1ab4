"""A forward-facing scene: a real mesh, rendered from a plane of cameras, fitted in normalised device coordinates."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from manyfields.cameras import look_at
from manyfields.runs import fit

SIZE, ANGLE = 40, 0.6911112


@pytest.fixture
def scene(shared, tmp_path):
    """Sixteen views of the water bottle, from a plane 2.7 in front of it."""
    pytest.importorskip("vtk")
    from manyfields.views.mesh_renderer import MeshRenderer
    from manyfields.views.meshes import read_mesh

    folder = tmp_path / "bottle"
    (folder / "rgba").mkdir(parents=True)
    places = torch.linspace(-0.6, 0.6, 4)
    x, z = torch.meshgrid(places, places, indexing="ij")
    positions = torch.stack([x.flatten(), torch.full((16,), -2.7), z.flatten()], -1)
    poses = look_at(positions, 0.3 * positions * torch.tensor([1.0, 0.0, 1.0])).double().numpy()
    renderer = MeshRenderer(SIZE, ANGLE)
    frames = []
    try:
        renderer.show(read_mesh(shared / "data/models/detail/WaterBottle.glb"))
        for number, pose in enumerate(poses):
            rgba, _ = renderer.render(pose)
            Image.fromarray(rgba).save(folder / "rgba" / f"{number:03d}.png")
            frames.append({"file_path": f"rgba/{number:03d}.png", "transform_matrix": pose.tolist()})
    finally:
        renderer.close()
    header = {"camera_angle_x": ANGLE, "aabb": [[-1, -1, -1], [1, 1, 1]]}
    (folder / "transforms.json").write_text(json.dumps({**header, "frames": frames}))
    return folder


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
