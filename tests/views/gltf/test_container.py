import base64
import json
import struct

import numpy as np
import pytest

from manyfields.errors import MeshError
from manyfields.views.gltf import read_gltf

TRIANGLE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], np.float32)


def as_json(document, **buffer):
    return json.dumps({**document.json, "buffers": [{"byteLength": len(document.binary), **buffer}]})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_byte_order_mark_means_nothing(tmp_path, document, encoding):
    document.primitive()
    uri = "data:application/octet-stream;base64," + base64.b64encode(document.binary).decode()
    (tmp_path / "a.gltf").write_bytes(as_json(document, uri=uri).encode(encoding))
    surfaces, _ = read_gltf(tmp_path / "a.gltf")
    np.testing.assert_array_equal(surfaces[0].vertices, TRIANGLE)


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("the%20b%C3%BCro.bin", "the büro.bin"),
        ("the büro.bin", "the büro.bin"),
        ("bu\u0308ro.bin", "büro.bin"),
        ("parts\\a.bin", "parts/a.bin"),
        ("Parts/A.BIN", "parts/a.bin"),
        ("100%25.bin", "100%25.bin"),
        ("C:\\Users\\me\\a.bin", "a.bin"),
    ],
)
def test_files_beside_it_are_found_however_they_are_written(tmp_path, document, uri, file):
    document.primitive()
    (tmp_path / "parts").mkdir()
    (tmp_path / file).write_bytes(document.binary)
    (tmp_path / "a.gltf").write_text(as_json(document, uri=uri), encoding="utf-8")
    np.testing.assert_array_equal(read_gltf(tmp_path / "a.gltf")[0][0].vertices, TRIANGLE)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("https://example.org/a.bin", "refers to https://example.org/a.bin, which is not fetched"),
        ("../a.bin", "outside its own folder"),
        ("/etc/hostname", "refers to /etc/hostname, which is not there"),
        ("none.bin", "refers to none.bin, which is not there"),
        ("short.bin", r"shorter than its accessor says \(short.bin is cut short: 10 of \d+ bytes\)"),
    ],
)
def test_a_buffer_that_cannot_be_had_is_named(tmp_path, document, uri, message):
    document.primitive()
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "a.bin").write_bytes(document.binary)
    (folder / "short.bin").write_bytes(document.binary[:10])
    (folder / "a.gltf").write_text(as_json(document, uri=uri))
    with pytest.raises(MeshError, match=message):
        read_gltf(folder / "a.gltf")


def test_a_glb_cut_anywhere_is_one_error(tmp_path, document):
    document.primitive()
    whole = document.save(tmp_path / "a.glb").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "a.glb").write_bytes(whole[:length])
        with pytest.raises(MeshError, match="a.glb: is (cut short|not a glTF file that can be read)"):
            read_gltf(tmp_path / "a.glb")
    # the header says that the file is shorter than its parts
    (tmp_path / "a.glb").write_bytes(whole[:8] + struct.pack("<I", 400) + whole[12:400])
    with pytest.raises(MeshError, match="is cut short"):
        read_gltf(tmp_path / "a.glb")


def test_zeros_behind_the_json_part_are_passed_over(tmp_path, document):
    document.primitive()
    data = document.save(tmp_path / "a.glb").read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    text = data[20 : 20 + size] + bytes(4)
    head = struct.pack("<4sIII4s", b"glTF", 2, len(data) + 4, size + 4, b"JSON")
    (tmp_path / "a.glb").write_bytes(head + text + data[20 + size :])
    assert len(read_gltf(tmp_path / "a.glb")[0]) == 1


@pytest.mark.parametrize("version", ["1.0", "3.0"])
def test_other_versions_are_refused(tmp_path, version):
    (tmp_path / "a.gltf").write_text(json.dumps({"asset": {"version": version}, "nodes": {"a": {}}}))
    with pytest.raises(MeshError, match=f"is glTF version {version}; only version 2 is read"):
        read_gltf(tmp_path / "a.gltf")
