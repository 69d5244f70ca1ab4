import sys

import numpy as np
import pytest

from manyfields.errors import MeshError

DracoPy = pytest.importorskip("DracoPy", reason="the extra draco is not installed")
NAME = "KHR_draco_mesh_compression"
CORNERS = np.float32([[0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 1]])
UV = np.float32([[0, 0], [1, 0], [0, 1], [1, 1]])
COLORS = np.uint8([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [51, 51, 51, 51]])
FACES = np.uint32([[0, 1, 2], [2, 1, 3]])


def compressed(document, required=True, plain=False):
    """A primitive of two triangles whose accessors have no data but Draco's."""
    data = DracoPy.encode(
        CORNERS, FACES, quantization_bits=20, tex_coord=UV.astype(float), colors=COLORS, preserve_order=True,
        normals=np.tile([0.0, 0, 1], (4, 1)),
    )  # fmt: skip
    kinds = {0: "POSITION", 1: "NORMAL", 2: "COLOR_0", 3: "TEXCOORD_0"}
    ids = {kinds[each["attribute_type"]]: each["unique_id"] for each in DracoPy.decode(data).attributes}
    none = {} if plain else {"bufferView": None}
    attributes = {
        "POSITION": document.accessor(CORNERS, **none),
        "NORMAL": document.accessor(np.float32(CORNERS), **none),
        "TEXCOORD_0": document.accessor(UV, **none),
        "COLOR_0": document.accessor(COLORS, normalized=True, **none),
    }
    view = document.view(data)
    document.json["meshes"][0]["primitives"] = [{
        "attributes": attributes,
        "indices": document.accessor(np.uint16(FACES).reshape(-1), **none),
        "extensions": {NAME: {"bufferView": view, "attributes": ids}},
    }]  # fmt: skip
    document.json["extensionsUsed"] = [NAME]
    if required:
        document.json["extensionsRequired"] = [NAME]


def corners_of(surface, values):
    return np.sort(values[surface.faces].reshape(-1, values.shape[1]), axis=0)


def test_a_draco_primitive_is_decoded(document, read):
    compressed(document)
    surfaces, remarks = read(document)
    surface = surfaces[0]
    assert remarks == [] and len(surface.faces) == 2
    for found, wanted in ((surface.vertices, CORNERS), (surface.uv, UV), (surface.colors, COLORS / 255)):
        np.testing.assert_allclose(corners_of(surface, found), np.sort(wanted[FACES].reshape(6, -1), 0), atol=1e-4)
    assert np.abs(surface.normals - [0, 0, 1]).max() < 0.01


def test_plain_data_are_taken_where_draco_is_optional(document, read, monkeypatch):
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    compressed(document, required=False, plain=True)
    np.testing.assert_array_equal(read(document)[0][0].vertices, CORNERS)


def test_without_the_package_the_message_says_how_to_get_it(document, read, monkeypatch):
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    compressed(document)
    with pytest.raises(
        MeshError, match=r"is Draco-compressed; pip install 'manyfields\[draco\]', or export it without"
    ):
        read(document)


def test_damaged_data_are_one_error(document, read):
    compressed(document)
    view = document.json["bufferViews"][-1]
    for start in (0, 11, 40):
        broken = bytearray(document.binary)
        broken[view["byteOffset"] + start : view["byteOffset"] + view["byteLength"]] = b"\xff" * (
            view["byteLength"] - start
        )
        kept, document.binary = document.binary, broken
        with pytest.raises(MeshError, match="its Draco data cannot be decoded"):
            read(document)
        document.binary = kept
