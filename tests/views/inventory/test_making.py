import hashlib

import numpy as np
import pytest
import trimesh

from manyfields.errors import ConfigError
from manyfields.views.inventory import KINDS, make_inventory
from manyfields.views.inventory.looks import checks, dots, lettering, stripes
from manyfields.views.inventory.making import object_glb
from manyfields.views.inventory.shapes import (
    ball,
    box,
    cylinder,
    lathe,
    loft,
    panel,
    part_of,
    ring,
    rounded_box,
    shaded,
    tube,
)
from manyfields.views.meshes import read_mesh


def solid(shape):
    mesh = trimesh.Trimesh(shape.vertices, shape.faces, process=True)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    return mesh


SOLIDS = {
    "box": (box((1, 2, 3)), 6.0),
    "rounded box": (rounded_box((1, 2, 3), radius=0.3, steps=4), None),
    "cylinder": (cylinder(1, 2, 64), 2 * np.pi),
    "cone": (cylinder(1, 3, 64, 0.0, 0.0), np.pi),
    "ball": (ball(1, 64, 32), 4 / 3 * np.pi),
    "tube": (tube([(0, 0, 0), (0, 0, 1), (0, 0, 3)], 0.5, 64), 0.75 * np.pi),
    "bent tube": (tube([(0, 0, 0), (0.5, 0, 1), (1, 1, 1)], [0.2, 0.2, 0.1]), None),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_and_have_their_outside_out(name):
    shape, volume = SOLIDS[name]
    mesh = solid(shape)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.volume > 0
    if volume is not None:
        assert mesh.volume == pytest.approx(volume, rel=0.01)


def test_a_rounded_box_keeps_its_size_and_loses_its_corners():
    shape = rounded_box((1, 2, 3), (5, 6, 7), radius=0.3, steps=4)
    np.testing.assert_allclose(shape.vertices.min(0), [4.5, 5, 5.5])
    np.testing.assert_allclose(shape.vertices.max(0), [5.5, 7, 8.5])
    inner = np.clip(shape.vertices, np.array([4.8, 5.3, 5.8]), np.array([5.2, 6.7, 8.2]))
    np.testing.assert_allclose(np.linalg.norm(shape.vertices - inner, axis=1), 0.3, atol=1e-12)


@pytest.mark.parametrize(("axis", "sign"), [(0, 1), (0, -1), (1, 1), (1, -1)])
def test_a_picture_on_a_wall_of_a_box_is_upright_and_not_mirrored(axis, sign):
    shape = box((2, 2, 2))
    wall = np.isclose(shape.vertices[:, axis], sign)
    faces = shape.faces[wall[shape.faces].all(1)]
    outward, up = np.eye(3)[axis] * sign, np.array([0, 0, 1.0])
    right = np.cross(up, outward)
    for vertex in np.unique(faces):
        u, v = shape.uv[vertex]
        assert u == pytest.approx((shape.vertices[vertex] @ right + 1) / 2)
        assert v == pytest.approx((1 - shape.vertices[vertex] @ up) / 2)


def test_turning_is_counter_clockwise_about_each_axis():
    for axis, before, after in (("x", (0, 1, 0), (0, 0, 1)), ("y", (0, 0, 1), (1, 0, 0)), ("z", (1, 0, 0), (0, 1, 0))):
        shape = panel([before, (0, 0, 0), (1, 1, 1), (2, 1, 1)], lift=0.0).turned(axis, 90)
        np.testing.assert_allclose(shape.vertices[0], after, atol=1e-12)


def test_mirroring_keeps_the_outside():
    shape = cylinder(1, 2, 12).moved(x=3)
    assert solid(shape.mirrored()).volume == pytest.approx(solid(shape).volume)
    assert shape.mirrored().vertices[:, 0].max() < 0


def test_a_panel_faces_outward_and_parts_of_walls_lie_in_them():
    wall = [(0, 0, 0), (4, 0, 0), (4, 0, 2), (0, 0, 2)]
    shape = panel(wall, inset=0.5, lift=0.1)
    np.testing.assert_allclose(shape.vertices[:, 1], -0.1)
    np.testing.assert_allclose(shape.vertices[[0, 2]][:, [0, 2]], [[1, 0.5], [3, 1.5]])
    np.testing.assert_allclose(part_of(wall, 0.25, 0.5, 0.5, 1.0)[[0, 2]], [[1, 0, 1], [2, 0, 2]])


def test_shading_splits_vertices_at_creases_only():
    _, flat = shaded(box((1, 1, 1)))
    assert np.isclose(np.abs(flat).max(1), 1).all()
    shape, smooth = shaded(ball(1, 32, 16))
    np.testing.assert_allclose((smooth * shape.vertices).sum(1), 1, atol=0.02)
    shape, drum = shaded(lathe([(0, 0), (1, 0), (1, 2), (0, 2)], 32))
    assert set(np.round(drum[:, 2], 6)) == {-1.0, 0.0, 1.0}


def test_a_loft_skins_its_rings():
    rings = [ring(2, 4, 0.0, corner=2.0, points=64), ring(2, 4, 1.0, corner=2.0, points=64)]
    shape = loft([np.zeros_like(rings[0]), *rings, np.zeros_like(rings[0]) + [0, 0, 1]])
    assert solid(shape).volume == pytest.approx(2 * np.pi, rel=0.01)


def test_patterns_close_around_and_have_their_colours():
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    assert checks(black, white, 2, 2, 4)[:, :, 0].tolist() == [[0, 0, 1, 1]] * 2 + [[1, 1, 0, 0]] * 2
    assert stripes([black, white], 4, size=4)[0, :, 0].tolist() == [0, 1, 0, 1]
    assert 0.2 < dots(black, white, 4, 4, 0.3, 128).mean() < 0.36  # pi * 0.3^2
    sign = lettering(np.random.default_rng(0), black, white, 3)
    assert sign.shape == (28, 52, 3) and 0.1 < sign.mean() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_meshes_of_reasonable_size_that_the_renderer_reads(kind, tmp_path):
    for path in make_inventory(tmp_path, kind, 3, seed=5):
        mesh = read_mesh(path)
        triangles = sum(len(surface.faces) for surface in mesh.surfaces)
        assert 200 < triangles < 15000
        assert len(mesh.surfaces) >= 2
        for surface in mesh.surfaces:
            assert surface.normals is not None
            np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arguments_give_the_same_bytes_and_others_do_not(kind):
    first = hashlib.sha256(object_glb(kind, 1, 0)).hexdigest()
    assert hashlib.sha256(object_glb(kind, 1, 0)).hexdigest() == first
    assert hashlib.sha256(object_glb(kind, 1, 1)).hexdigest() != first
    assert hashlib.sha256(object_glb(kind, 2, 0)).hexdigest() != first


def test_a_larger_inventory_extends_a_smaller_one_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    few = make_inventory(tmp_path, "vessel", 1, seed=0)
    assert [path.name for path in few] == ["vessel-0000.glb"]
    before = few[0].read_bytes()
    more = make_inventory(tmp_path, "vessel", 2, seed=0)
    assert [path.name for path in more] == ["vessel-0000.glb", "vessel-0001.glb"]
    assert more[0].read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "vessel-0000.glb", "vessel-0001.glb"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_vehicles_stand_lengthwise_with_their_front_ahead(tmp_path):
    """glTF front +z is world -y: headlights are there, and vehicles are longer than wide."""
    for path in make_inventory(tmp_path, "vehicle", 4, seed=0):
        low, high = read_mesh(path).bounds
        assert (high - low)[1] > 1.3 * (high - low)[0]
        scene = trimesh.load_scene(path, process=False)
        lamps = [
            mesh.vertices[:, 2].mean()
            for mesh in scene.geometry.values()
            if mesh.visual.material.baseColorTexture is None
            and np.abs(mesh.visual.material.baseColorFactor[:3].astype(int) - [243, 232, 177]).max() <= 4
        ]
        assert lamps and min(lamps) > 1


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no kind 'boat' of object; make one of vehicle, furniture, vessel"):
        make_inventory(tmp_path, "boat", 1)
    with pytest.raises(ConfigError, match="count: a number of at least 1, not 0"):
        make_inventory(tmp_path, "toy", 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; name a folder"):
        make_inventory(tmp_path / "file", "toy", 1)
