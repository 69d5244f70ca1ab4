"""Distance fields as files: every prefix of whole levels is a surface, in units of the mesh; what is wrong is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from manyfields.collection.streams import read_stream
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.octree.codes import QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.stream.stream import decode_vq, encode_vq, read_header
from manyfields.families.octree.tree import Octree
from manyfields.shapes.field import DistanceConfig, DistanceFamily
from manyfields.shapes.file import read_shape, shape_stream

pytest.importorskip("skimage")
CONFIG = DistanceConfig(first=3, last=5, features=2, hidden=4, truncation=0.1)
MATRIX = np.array([[0, 0, 0.5, 0.1], [0.5, 0, 0, 0], [0, 0.5, 0, -0.1], [0, 0, 0, 1.0]])


def plane_x() -> tuple[DistanceFamily, Octree, QuantisedOctreeCodes]:
    """A network that says x + 0.01 * (its levels' first features), in a plate of voxels round x = 0."""
    family = DistanceFamily(CONFIG).requires_grad_(False)
    for parameter in family.parameters():
        parameter.zero_()
    for unit, sign in ((0, 1.0), (1, -1.0)):  # relu(a) - relu(-a) = a
        family.hidden.weight[unit, [0, 3]] = sign * torch.tensor([10.0, 0.125])
        family.output.weight[0, unit] = sign
    across = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    tree = Octree.of_points(across * torch.tensor([0.1, 1.0, 1.0]), 3, 5)
    levels = [
        QuantisedLevel(torch.full((count,), number), torch.tensor([[0.0, 9], [1, 9], [2, 9], [3, 9]]))
        for number, count in enumerate(tree.corner_counts)
    ]
    return family, tree, QuantisedOctreeCodes((tree,), (tuple(levels),))


@pytest.fixture
def data() -> bytes:
    family, _, code = plane_x()
    return shape_stream("plate", family, code, MATRIX)


def test_every_prefix_of_levels_is_its_own_surface_in_units_of_the_mesh(data, tmp_path):
    path = tmp_path / "plate.vq"
    path.write_bytes(data)
    ends = read_header(data).ends()
    for count, end in enumerate(ends[1:], 1):
        shape = read_shape(path, end)
        assert (shape.id, shape.levels) == ("plate", count)
        surface = shape.surface()
        # Features of levels 0, 1, 2 add up to 0, 1, 3; times 0.125 truncations of 0.1.
        expected = -0.0125 * sum(range(count))
        in_cube = surface.transformed(MATRIX).vertices
        np.testing.assert_allclose(in_cube[:, 0], expected, atol=1e-4)
        # Cube x is (mesh z) / 2 + 0.1; the normal towards +x of the cube is +z of the mesh.
        np.testing.assert_allclose(surface.vertices[:, 2], (expected - 0.1) / 0.5, atol=1e-3)
        assert (surface.normals[surface.areas > 0][:, 2] > 0.99).all()
        np.testing.assert_array_equal(read_shape(data).surface(count).vertices, surface.vertices)
    assert read_shape(data, ends[2] - 1).levels == 1


def test_resolution(data):
    shape = read_shape(data)
    assert len(shape.surface(resolution=7).faces) > 3 * len(shape.surface(resolution=6).faces)
    for asked in (4, 11):
        with pytest.raises(ConfigError, match=rf"a resolution of {2**asked} cells: from 32, .* to 1024"):
            shape.surface(resolution=asked)
    with pytest.raises(ConfigError, match="level 4: from 1 to 3"):
        shape.surface(4)


def test_mirrored_meshes_keep_their_outer_side():
    family, _, code = plane_x()
    mirrored = np.diag([-1.0, 1, 1, 1])
    surface = read_shape(shape_stream("m", family, code, mirrored)).surface()
    assert (surface.normals[surface.areas > 0][:, 0] < -0.99).all()


def test_damage_names_the_level(data):
    ends = read_header(data).ends()
    with pytest.raises(CollectionError, match="the stream: .* of level 5: cut short"):
        read_shape(data[:-1])
    altered = bytearray(data)
    altered[ends[1] + 9] ^= 4
    with pytest.raises(CollectionError, match="of level 4: damaged"):
        read_shape(bytes(altered))
    with pytest.raises(CollectionError, match="hold no whole level; the first level ends at byte"):
        read_shape(data, ends[1] - 1)
    with pytest.raises(CollectionError, match="ends before its first level"):
        read_shape(data[: ends[0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": {"family": "octree"}}, "a field of the family 'octree', no surface; `manyfields render`"),
        ({"family": {"family": "signed-distance", "colour": 1}}, "setting 'colour'"),
        ({"family": {"family": "signed-distance", "hidden": 10**12}}, "its config asks for"),
        ({"family": {"family": "signed-distance", "hidden": "4"}}, "not one of a distance field"),
        ({"mesh_to_cube": [0.0] * 16}, "'mesh_to_cube' is not"),
        ({"mesh_to_cube": [1.0]}, "'mesh_to_cube' is not"),
        ({"mesh_to_cube": None}, "no 'mesh_to_cube'"),
        ({"id": 3}, "no 'id'"),
    ],
)
def test_configs_that_say_something_else(data, change, message):
    item = decode_vq(data)
    config = json.loads(json.dumps(dict(item.config))) | change
    with pytest.raises(CollectionError, match=message) as caught:
        read_shape(encode_vq(replace(item, config=config)))
    assert "\n" not in str(caught.value)


def test_pictures_of_a_surface_are_refused_with_the_right_command(data):
    with pytest.raises(CollectionError, match="signed distances, and no colours.*manyfields extract FILE.vq"):
        read_stream(data)
