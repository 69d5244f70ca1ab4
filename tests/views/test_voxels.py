"""Solids against their definition, and meshes without an inside."""

import json

import numpy as np
import pytest

from manyfields.errors import MeshError
from manyfields.views.surface_samples import Triangles
from manyfields.views.voxels import read_voxels, solid_voxels

trimesh = pytest.importorskip("trimesh")


def triangles(mesh) -> Triangles:
    return Triangles.welded(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))


def centers(side: int) -> np.ndarray:
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


@pytest.mark.parametrize("side", [8, 16, 31])
def test_a_ball_is_solid(side):
    solid, surface = solid_voxels(triangles(trimesh.creation.icosphere(4, 0.7)), side)
    radius = np.linalg.norm(centers(side), axis=-1)
    half = 3**0.5 / side  # half of a voxel's diagonal
    assert solid[radius < 0.68].all() and not solid[radius > 0.71 + half].any()
    assert not surface[np.abs(radius - 0.7) > half + 0.02].any()
    assert (solid >= surface).all()


def test_walls_of_any_slant_hold():
    """No turn of a box lets the flood in, and nothing outside of it is filled."""
    random, side = np.random.default_rng(0), 24
    for _ in range(12):
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        box = trimesh.creation.box((0.9, 0.5, 0.7))
        box.vertices = box.vertices @ turn.T
        solid, _ = solid_voxels(triangles(box), side)
        local = np.abs(centers(side) @ turn)
        half = np.array([0.45, 0.25, 0.35])
        assert solid[(local < half).all(-1)].all()
        assert not solid[(local > half + 3**0.5 / side).any(-1)].any()


def test_axes_are_x_y_z():
    box = trimesh.creation.box((1.15, 0.35, 0.15))
    solid, _ = solid_voxels(triangles(box.apply_translation((0.2, 0, 0))), 20)
    filled = np.argwhere(solid)
    assert (filled.max(0) - filled.min(0) + 1).tolist() == [12, 4, 2]
    assert filled[:, 0].min() == 6


def test_a_hollow_is_filled_and_an_open_box_is_not():
    inner = trimesh.creation.icosphere(2, 0.3)
    inner.invert()
    solid, _ = solid_voxels(triangles(trimesh.util.concatenate([trimesh.creation.icosphere(3, 0.8), inner])), 16)
    assert solid[7:9, 7:9, 7:9].all()
    box = trimesh.creation.box((1, 1, 1))
    opened = trimesh.Trimesh(box.vertices, box.faces[2:], process=False)
    solid, surface = solid_voxels(triangles(opened), 16)
    assert (solid == surface).all()


def test_thin_parts_are_not_lost():
    rod = trimesh.creation.box((0.01, 0.01, 0.9)).apply_translation((0.01, 0.01, 0))
    solid, _ = solid_voxels(triangles(rod), 8)
    assert solid[4, 4].tolist() == [False] * 2 + [True] * 4 + [False] * 2


def test_beyond_the_cube():
    with pytest.raises(MeshError, match="reaches out of the cube"):
        solid_voxels(triangles(trimesh.creation.box((3, 1, 1))), 8)


def test_a_folder_of_meshes(tmp_path):
    for kind in ("cars", "cups"):
        (tmp_path / kind).mkdir()
        trimesh.creation.box((1, 1, 0.5)).export(tmp_path / kind / "a.ply")
        entries = [{"id": "a", "file": "a.ply", "group": f"{kind}-design"}, {"id": f"{kind}-gone", "file": "b.ply"}]
        (tmp_path / kind / "manifest.json").write_text(json.dumps(entries))
    found = read_voxels(tmp_path, side=8)
    assert found.ids == ["cars-a", "cups-a"] and [item.group for item in found] == ["cars-design", "cups-design"]
    assert [(item.label, item.values.shape) for item in found] == [("cars", (512, 1)), ("cups", (512, 1))]
    assert all(set(np.unique(item.values)) == {0, 255} for item in found)
    assert [problem.object for problem in found.problems] == ["cars-gone", "cups-gone"]
    assert read_voxels(tmp_path / "cars", side=8).ids == ["a"]
    for side in (3, 129):
        with pytest.raises(MeshError, match="from 4 to 128"):
            read_voxels(tmp_path, side=side)


def test_a_folder_without_solids_says_why(tmp_path):
    box = trimesh.creation.box((1, 1, 1))
    trimesh.Trimesh(box.vertices, box.faces[2:], process=False).export(tmp_path / "open.ply")
    with pytest.raises(MeshError, match="holds no mesh with an interior: .*open.ply: has no interior at 8"):
        read_voxels(tmp_path, side=8)


def test_real_meshes(shared):
    found = read_voxels(shared / "data" / "models" / "detail", side=32)
    assert len(found) == 4 and all(item.values.mean() > 3 for item in found)
