"""Views of a mesh from a plane of cameras: `python _forward_facing.py MESH FOLDER [SIDE [SIZE]]`.

A process of its own, because vtk and Triton each bring an LLVM and do not stand each other.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image

from manyfields.cameras import look_at
from manyfields.views.mesh_renderer import MeshRenderer
from manyfields.views.meshes import read_mesh

ANGLE = 0.6911112


def write_views(
    mesh: Path, folder: Path, side: int = 4, size: int = 40, spread: float = 0.6, distance: float = 2.7
) -> None:
    """side x side views of size x size pixels from a plane `distance` in front of the mesh, turned to its middle."""
    (folder / "rgba").mkdir(parents=True)
    places = torch.linspace(-spread, spread, side)
    x, z = torch.meshgrid(places, places, indexing="ij")
    positions = torch.stack([x.flatten(), torch.full((side * side,), -distance), z.flatten()], -1)
    poses = look_at(positions, 0.3 * positions * torch.tensor([1.0, 0.0, 1.0])).double().numpy()
    renderer = MeshRenderer(size, ANGLE)
    renderer.show(read_mesh(mesh))
    frames = []
    for number, pose in enumerate(poses):
        rgba, _ = renderer.render(pose)
        Image.fromarray(rgba).save(folder / "rgba" / f"{number:03d}.png")
        frames.append({"file_path": f"rgba/{number:03d}.png", "transform_matrix": pose.tolist()})
    renderer.close()
    header = {"camera_angle_x": ANGLE, "aabb": [[-1, -1, -1], [1, 1, 1]]}
    (folder / "transforms.json").write_text(json.dumps({**header, "frames": frames}))


if __name__ == "__main__":
    write_views(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
