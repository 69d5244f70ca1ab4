"""Damaged and hostile collections get one clear line, never a crash, a hang or a huge allocation."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyfields.collection import ObjectRecord, open_collection, verify_collection
from manyfields.collection.checksums import sha256
from manyfields.collection.manifest import FileEntry, decode_manifest, encode_manifest, read_manifest, write_manifest
from manyfields.errors import CollectionError

NAMES = ["collection.json", "shared", "encoder", "objects-00000", "codes-00000"]


def find(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}*"))


def use_everything(folder: Path) -> None:
    collection = open_collection(folder)
    collection.config, collection.shared(), collection.encoder(), collection.sizes(), repr(collection)
    for id in collection:
        collection.layers(id)


def refused(folder: Path, message: str) -> None:
    """Both verify and use say so, in one line."""
    problems = verify_collection(folder)
    assert any(message in problem for problem in problems), problems
    assert all("\n" not in problem for problem in problems)
    with pytest.raises(CollectionError):
        use_everything(folder)


def relist(folder: Path, path: Path, data: bytes) -> None:
    """Write `data` and let the manifest state its true size and SHA-256: the hostile author's way."""
    path.write_bytes(data)
    manifest = read_manifest(folder)
    entry = FileEntry(path.name, len(data), sha256(data))
    kind = "codes" if path.name.startswith("codes") else "index"
    number = int(path.stem.split("-")[1])
    waves = list(manifest.waves)
    waves[number] = replace(waves[number], **{kind: entry})
    write_manifest(folder, replace(manifest, waves=tuple(waves)))


def relist_shared(folder: Path, data: bytes) -> None:
    entry = FileEntry(f"shared-{sha256(data)[:16]}.safetensors", len(data), sha256(data))
    (folder / entry.file).write_bytes(data)
    write_manifest(folder, replace(read_manifest(folder), shared=entry))


def edit_manifest(folder: Path, change) -> None:
    """Change the JSON and seal it again with a true checksum."""
    path = folder / "collection.json"
    value = json.loads(path.read_bytes())
    del value["sha256"]
    change(value)
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(body[:-1] + b',"sha256":"' + sha256(body).encode() + b'"}\n')


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(tiny, name, place, bit):
    path = find(tiny.path, name)
    original = path.read_bytes()
    changed = bytearray(original)
    changed[int(place * len(original))] ^= 1 << bit
    path.write_bytes(changed)
    try:
        assert verify_collection(tiny.path) != []
    finally:
        path.write_bytes(original)
    assert verify_collection(tiny.path) == []


def test_every_bit_of_the_manifest(tiny):
    data = (tiny.path / "collection.json").read_bytes()
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises(CollectionError):
                decode_manifest(bytes(changed), "m")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_truncated_files(tiny, name, keep):
    path = find(tiny.path, name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    refused(tiny.path, str(path))


@pytest.mark.parametrize("name", NAMES)
def test_missing_files(tiny, name):
    path = find(tiny.path, name)
    path.unlink()
    refused(tiny.path, "is not a collection" if name == "collection.json" else f"{path}: cannot be read")


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_or_a_folder_under_the_name_of_a_file(tiny, name):
    path = find(tiny.path, name)
    path.unlink()
    os.mkfifo(path)
    refused(tiny.path, f"{path}: is not a regular file")
    path.unlink()
    path.mkdir()
    refused(tiny.path, str(path))


def test_a_damaged_layer_is_named_and_others_still_read(tiny):
    entry = tiny.entry("plate")
    path = find(tiny.path, "codes-00000")
    data = bytearray(path.read_bytes())
    data[entry.ranges[1][0]] ^= 1
    path.write_bytes(data)
    with pytest.raises(CollectionError, match=r"codes-00000\.safetensors: object 'plate', layer 1: its CRC32C"):
        tiny.layers("plate")
    assert tiny.layers("plate", 1) == [b"W222"] and tiny.layers("mug")[2] == b"more"
    refused(tiny.path, "object 'plate', layer 1: its CRC32C")


def codes_file(header, payload=b"", length=None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + payload


def test_offsets_that_contradict_the_index(tiny):
    path = find(tiny.path, "codes-00000")
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    data[start + 8] += 1  # end of the first segment
    relist(tiny.path, path, bytes(data))
    assert [problem for problem in verify_collection(tiny.path) if "contradict each other" in problem]


def test_a_codes_file_of_another_size(tiny):
    path = find(tiny.path, "codes-00000")
    relist(tiny.path, path, path.read_bytes() + b"more")
    refused(tiny.path, "overlap or leave gaps")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (codes_file(b"{}", length=2**62), "header claims"),
        (codes_file(b" " * ((16 << 20) + 1)), "above the limit"),
        (codes_file({"__metadata__": {"config": "{"}}), "its config: is not valid JSON"),
        (codes_file({"__metadata__": {"config": "[]"}}), "its config is not a JSON object"),
        (codes_file({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, b"xxxx"), "contradict"),
        (b"\x80\x04\x95pickle\x94.", "header claims"),
        (b"", "header claims"),
    ],
)
def test_shared_parts_that_lie(tiny, data, message):
    relist_shared(tiny.path, data)
    refused(tiny.path, message)


def set_column(name: str, values: list):
    def change(table: pa.Table) -> pa.Table:
        position = table.column_names.index(name)
        field = table.schema.field(position)
        return table.set_column(position, field.with_nullable(True), pa.array(values, field.type))

    return change


def non_utf8(table: pa.Table) -> pa.Table:
    ids = pa.array([b"mug", b"\xff\xfe", b"plate"], pa.binary())
    return table.set_column(0, "id", ids.view(pa.string()))


ROWS = {
    "id twice": (set_column("id", ["mug", "mug", "plate"]), "stored twice"),
    "id with a path": (set_column("id", ["../../etc", "b", "c"]), "no slash"),
    "id missing": (set_column("id", [None, "b", "c"]), "empty cells"),
    "id not UTF-8": (non_utf8, "cannot be read as Parquet"),
    "another shard": (set_column("shard", [0, 7, 0]), "names another shard"),
    "matrix NaN": (set_column("world_to_object", [[float("nan")] * 16] * 3), "NaN"),
    "matrix short": (set_column("world_to_object", [[1.0] * 15, [1.0] * 17, [1.0] * 16]), "wrong number"),
    "bounds infinite": (set_column("bounds", [[float("-inf")] * 3 + [1.0] * 3] * 3), "infinity"),
    "layers negative": (set_column("layer_begin", [[-5, 0, 0], [0], [0, 0]]), "outside its codes file"),
    "layers far away": (set_column("layer_end", [[2**62] * 3, [2**62], [2**62] * 2]), "outside its codes file"),
    "layers of fewer ends": (set_column("layer_end", [[1], [1], [1]]), "wrong number"),
    "no layers": (set_column("layer_begin", [[], [], []]), "has no layers"),
    "layer nothing": (set_column("layer_begin", [[None] * 3, [1], [1, 1]]), "empty cells"),
    "column gone": (lambda table: table.drop_columns(["bounds"]), "'bounds' is missing"),
    "column of text": (lambda table: table.set_column(3, "shard", pa.array(["a"] * 3)), "'shard' is missing or not"),
    "column twice": (lambda table: table.append_column("id", table.column("id")), "'id' is missing or not"),
    "rows gone": (lambda table: table.slice(0, 2), "has 2 rows where the manifest says 3"),
    "CRC": (set_column("layer_crc32c", [[1, 2, 3], [4], [5, 6]]), "its CRC32C is not the one in the index"),
}


@pytest.mark.parametrize("lie", ROWS, ids=str)
def test_index_shards_that_lie(tiny, lie):
    change, message = ROWS[lie]
    path = find(tiny.path, "objects-00000")
    sink = pa.BufferOutputStream()
    pq.write_table(change(pq.read_table(path)), sink)
    relist(tiny.path, path, sink.getvalue().to_pybytes())
    refused(tiny.path, message)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\xff" * 60 + b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1"])
def test_index_shards_that_are_no_parquet(tiny, data):
    relist(tiny.path, find(tiny.path, "objects-00000"), data)
    refused(tiny.path, "cannot be read as Parquet")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_altered_index_shards_with_true_checksums_never_crash(tiny, place, value):
    path = find(tiny.path, "objects-00000")
    original, manifest = path.read_bytes(), (tiny.path / "collection.json").read_bytes()
    changed = bytearray(original)
    changed[int(place * len(original))] = value
    relist(tiny.path, path, bytes(changed))
    try:
        problems = verify_collection(tiny.path)
        assert all("\n" not in problem for problem in problems)
        try:
            use_everything(tiny.path)
        except CollectionError:
            assert problems
    finally:
        path.write_bytes(original)
        (tiny.path / "collection.json").write_bytes(manifest)


def test_an_index_that_would_unpack_to_too_much(tiny, monkeypatch):
    from manyfields.collection import index

    monkeypatch.setattr(index, "UNPACKED_LIMIT", 100)
    monkeypatch.setattr(index, "UNPACKED_PER_OBJECT", 1)
    refused(tiny.path, "would unpack to")


def in_wave(kind: str, member: str, value):
    return lambda manifest: manifest["waves"][0][kind].update({member: value})


MANIFESTS = {
    "escape up": (in_wave("codes", "file", "../codes-00000.safetensors"), "only 'codes-00000.safetensors' is allowed"),
    "escape absolute": (in_wave("index", "file", "/etc/passwd"), "only 'objects-00000.parquet' is allowed"),
    "escape below": (in_wave("codes", "file", "a/codes-00000.safetensors"), "is allowed"),
    "escape of windows": (in_wave("codes", "file", "..\\codes-00000.safetensors"), "is allowed"),
    "escape by NUL": (in_wave("codes", "file", "codes-00000.safetensors\0"), "is allowed"),
    "shared elsewhere": (lambda m: m["shared"].update(file="../../shared"), "is allowed"),
    "shared of another hash": (lambda m: m["shared"].update(sha256="0" * 64), "is allowed"),
    "encoder elsewhere": (lambda m: m["encoder"].update(file="encoder.pkl"), "is allowed"),
    "encoder no file": (lambda m: m.update(encoder=[1]), "missing or not"),
    "size": (in_wave("codes", "bytes", 10**15), "where the manifest says 1000000000000000"),
    "size negative": (in_wave("codes", "bytes", -1), "has no meaning"),
    "size true": (in_wave("codes", "bytes", True), "'bytes' is missing or not a int"),
    "size 1e400": (in_wave("codes", "bytes", 10**400), "where the manifest says 1"),
    "hash": (in_wave("codes", "sha256", "0" * 64), "SHA-256 is not the one in the manifest"),
    "hash no hash": (in_wave("codes", "sha256", "no"), "has no meaning"),
    "objects": (lambda m: m["waves"][0].update(objects=4), "has 3 rows where the manifest says 4"),
    "objects of a million": (lambda m: m["waves"][0].update(objects=10**6), "states 1000000 objects in"),
    "objects none": (lambda m: m["waves"][0].update(objects=0), "states 0 objects"),
    "waves no list": (lambda m: m.update(waves={}), "'waves' is missing"),
    "wave no wave": (lambda m: m.update(waves=[3]), "'objects' is missing"),
    "wave twice": (lambda m: m["waves"].append(m["waves"][0]), "only 'objects-00001.parquet' is allowed"),
    "major version": (lambda m: m.update(version="2.0"), "is of format version 2.0, this manyfields"),
    "version no version": (lambda m: m.update(version=[1]), "is not of the form 1.0"),
    "format": (lambda m: m.update(format="zip"), "is not the manifest of a collection"),
    "no properties": (lambda m: m.pop("properties"), "'properties' is missing"),
}


@pytest.mark.parametrize("lie", MANIFESTS, ids=str)
def test_manifests_that_lie(tiny, lie):
    change, message = MANIFESTS[lie]
    edit_manifest(tiny.path, change)
    if lie == "hash":  # a reader of single layers goes by their CRC32C
        assert any(message in problem for problem in verify_collection(tiny.path))
    else:
        refused(tiny.path, message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "is not the manifest"),
        (b'{"format":"manyfields-collection","version":"1.0"}', "does not end in its SHA-256"),
        (b'{"format":"manyfields-collection","version":"3.1","sealed":"otherwise"}', "format version 3.1"),
    ],
)
def test_manifests_that_are_none(data, message):
    with pytest.raises(CollectionError, match=message) as caught:
        decode_manifest(data, "here")
    assert str(caught.value).startswith("here: ")


def test_a_newer_minor_version_is_read_but_not_added_to(tiny):
    def newer(manifest):
        manifest.update(version="1.7", surprise={"new": 1})

    edit_manifest(tiny.path, newer)
    collection = open_collection(tiny.path)
    assert collection.layers("mug", 1) == [b"W0"] and collection.verify() == []
    with pytest.raises(CollectionError, match="written by a newer manyfields"):
        collection.append([ObjectRecord("new", [b"x"])])


def test_objects_twice_across_waves(tiny):
    tiny.append([ObjectRecord("a", [b"1"])])
    path = find(tiny.path, "objects-00001")
    sink = pa.BufferOutputStream()
    pq.write_table(set_column("id", ["mug"])(pq.read_table(path)), sink)
    relist(tiny.path, path, sink.getvalue().to_pybytes())
    refused(tiny.path, "object 'mug' is stored twice")


def test_a_replaced_collection_is_noticed(tiny, tmp_path):
    open_one = open_collection(tiny.path)
    relist_shared(tiny.path, codes_file({"__metadata__": {"config": "{}"}}))
    with pytest.raises(CollectionError, match="another collection stands there now"):
        open_one.append([ObjectRecord("a", [b"x"])])


def test_the_manifest_round_trips_and_the_folder_can_move(tiny, tmp_path):
    manifest = read_manifest(tiny.path)
    assert decode_manifest(encode_manifest(manifest), "m") == manifest
    moved = shutil.move(str(tiny.path), str(tmp_path / "moved"))
    assert verify_collection(Path(moved)) == []
