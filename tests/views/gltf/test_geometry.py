import numpy as np
import pytest

from manyfields.errors import MeshError

TRIANGLE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], np.float32)


def test_interleaved_and_quantised_attributes(document, read):
    rows = np.zeros(3, [("p", "<i2", 3), ("pad", "<i2"), ("uv", "<u2", 2), ("n", "i1", 4)])
    rows["p"], rows["uv"], rows["n"] = [[0, 0, 0], [400, 0, 0], [0, 200, 0]], [[0, 65535]] * 3, [0, 0, 127, 0]
    view = document.view(rows.tobytes(), byteStride=16)
    parts = {
        "POSITION": (5122, 0, "VEC3", False),
        "TEXCOORD_0": (5123, 8, "VEC2", True),
        "NORMAL": (5120, 12, "VEC3", True),
    }
    entry = document.primitive()
    for name, (kind, offset, shape, normalized) in parts.items():
        entry["attributes"][name] = document.add("accessors", {
            "bufferView": view, "byteOffset": offset, "componentType": kind, "count": 3, "type": shape,
            "normalized": normalized,
        })  # fmt: skip
    document.json["nodes"] = [{"mesh": 0, "scale": [0.01] * 3}]
    document.json["extensionsRequired"] = document.json["extensionsUsed"] = ["KHR_mesh_quantization"]
    surface = read(document)[0][0]
    np.testing.assert_allclose(surface.vertices, TRIANGLE, atol=1e-6)
    np.testing.assert_allclose(surface.normals, [[0, 0, 1]] * 3)
    np.testing.assert_allclose(surface.uv, [[0, 1]] * 3)


def test_strips_fans_and_lists_without_indices(document, read):
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]])
    for mode in (4, 5, 6):
        document.primitive(corners, None, mode=mode)
    faces = [surface.faces.tolist() for surface in read(document)[0]]
    assert faces == [
        [[0, 1, 2]],
        [[0, 1, 2], [2, 1, 3], [2, 3, 4]],
        [[0, 1, 2], [0, 2, 3], [0, 3, 4]],
    ]


def test_lines_and_points_are_left_out_with_a_remark(document, read):
    for mode in (0, 1, 2, 3, 4):
        document.primitive(mode=mode)
    surfaces, remarks = read(document)
    assert len(surfaces) == 1 and set(remarks) == {"its lines and points are left out; only triangles are rendered"}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("width", [3, 4])
def test_vertex_colours_of_every_kind(document, read, kind, width):
    largest = 1.0 if kind == np.float32 else np.iinfo(kind).max
    values = (np.float64([[1, 0.2, 0, 0.6]] * 3)[:, :width] * largest).astype(kind)
    document.primitive(COLOR_0=document.accessor(values, normalized=kind != np.float32))
    expected = [1, 0.2, 0, 0.6 if width == 4 else 1]
    np.testing.assert_allclose(read(document)[0][0].colors, [expected] * 3, atol=1e-6)


def test_declared_counts_are_held_against_the_file_before_memory_is_taken(document, read):
    document.primitive()
    document.json["accessors"][0]["count"] = 2**40
    with pytest.raises(MeshError, match="buffer view 0 is shorter than its accessor says"):
        read(document)
    del document.json["accessors"][0]["bufferView"]
    with pytest.raises(MeshError, match="accessor 0 declares 1099511627776 values without data"):
        read(document)


@pytest.mark.parametrize("key", ["count", "byteOffset"])
def test_negative_numbers_are_refused(document, read, key):
    document.primitive()
    document.json["accessors"][0][key] = -1
    with pytest.raises(MeshError, match="an accessor of buffer view 0 is negative"):
        read(document)


def test_attributes_of_different_lengths_are_refused(document, read):
    document.primitive(NORMAL=np.zeros((2, 3), np.float32))
    with pytest.raises(MeshError, match="has 3 positions and 2 values of NORMAL"):
        read(document)


@pytest.mark.parametrize("kind", ["accessors", "meshes", "materials", "bufferViews"])
def test_numbers_of_things_that_do_not_exist_are_one_error(document, read, kind):
    document.primitive(material=0)
    document.json[kind] = []
    with pytest.raises(MeshError, match="a.glb: is not a glTF file that can be read"):
        read(document)
