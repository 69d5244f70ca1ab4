"""What is stored is found again, in any order of waves and layers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyfields.collection import ObjectRecord, create_collection, open_collection, reader
from manyfields.errors import CollectionError

SHARED = {"base": torch.zeros(1)}


def test_everything_comes_back(tiny):
    again = open_collection(tiny.path)
    assert again.ids == list(again) == ["mug", "Stuhl ä", "plate"] and len(again) == 3
    assert "mug" in again and "jug" not in again and 3 not in again
    assert again.config == {"family": "fused_planes", "macro": 2} and again.properties == {"name": "tiny"}
    assert torch.equal(again.shared()["base"], torch.arange(6, dtype=torch.float16).reshape(2, 3))
    assert torch.equal(again.encoder()["w"], torch.ones(2))
    mug, chair = again["mug"], again["Stuhl ä"]
    assert (mug.label, mug.group, mug.shard, mug.metrics) == ("cup", "kitchen", 0, {"psnr": 28.5})
    assert (chair.label, chair.group, chair.metrics, chair.bytes) == (None, None, {}, 3)
    assert np.array_equal(mug.world_to_object, np.eye(4)) and mug.world_to_object.dtype == np.float64
    assert chair.world_to_object[0, 3] == 0.5 and chair.bounds.tolist() == [[-1, -1, -0.5], [1, 1, 0.5]]
    assert again.layers("mug") == [b"W0", b"planes of mug", b"more"]
    assert again.layers("mug", 2) == [b"W0", b"planes of mug"] and again.layers("Stuhl ä", 2) == [b"W11"]
    assert again.verify() == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), min_size=1, max_size=4),
        max_size=3,
    )
)
def test_any_waves_of_any_layers(tmp_path_factory, waves):
    path = tmp_path_factory.mktemp("waves")
    collection = create_collection(path, shared=SHARED, config={})
    stored = {}
    for number, wave in enumerate(waves):
        records = [ObjectRecord(f"{number}-{row}", layers) for row, layers in enumerate(wave)]
        collection.append(records)
        stored.update({record.id: record.layers for record in records})
    for view in (collection, open_collection(path)):
        assert {id: view.layers(id) for id in view} == stored and view.ids == list(stored)
    assert collection.verify() == []
    sizes = collection.sizes()
    assert sizes["codes_layer0"] == sum(len(layers[0]) for layers in stored.values())
    assert sizes["codes_finer"] == sum(len(b"".join(layers[1:])) for layers in stored.values())
    assert sizes["total"] == sum(file.stat().st_size for file in path.iterdir())
    assert (sizes["objects"], sizes["waves"]) == (len(stored), len(waves))


def test_sizes_per_object(tiny):
    sizes = tiny.sizes()
    assert sizes["per_object"]["layers"] == pytest.approx((2 + 13 + 4 + 3 + 4 + 15) / 3)
    assert sizes["per_object"]["layer0"] == 3.0
    assert sizes["per_object"]["shared"] == sizes["shared"] / 3


def test_layers_reads_only_the_bytes_it_needs(tiny, monkeypatch):
    asked = []
    opened = reader.open_sized

    class Counting:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def seek(self, position):
            self.file.seek(position)

        def read(self, size):
            asked.append(size)
            return self.file.read(size)

    monkeypatch.setattr(reader, "open_sized", lambda *args: Counting(opened(*args)))
    tiny.layers("mug", 2)
    assert asked == [2, 13]


def test_opening_reads_the_manifest_alone(tiny):
    for file in tiny.path.iterdir():
        if file.name != "collection.json":
            file.unlink()
    collection = open_collection(tiny.path)
    assert len(collection) == 3 and collection.properties == {"name": "tiny"}
    with pytest.raises(CollectionError, match=r"objects-00000\.parquet: cannot be read"):
        collection.entry("mug")


def test_bytes_are_read_without_torch(tiny):
    code = (
        "import sys; from manyfields.collection import open_collection; c = open_collection(sys.argv[1]);"
        "assert c.layers('mug', 1) == [b'W0'] and c.config and not c.verify(); assert 'torch' not in sys.modules"
    )
    source = str(Path(reader.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, str(tiny.path)], check=True, env={**os.environ, "PYTHONPATH": source})


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts the threads of /proc")
def test_reading_starts_no_threads(tiny):
    """A worker of Arrow that starts while the process ends aborts it (`terminate called without ...`)."""
    code = (
        "import os, sys; from manyfields.collection import open_collection; import pyarrow.parquet, pyarrow.compute;"
        "before = set(os.listdir('/proc/self/task')); c = open_collection(sys.argv[1]);"
        "assert c.layers('mug') and not c.verify() and set(os.listdir('/proc/self/task')) == before"
    )
    source = str(Path(reader.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, str(tiny.path)], check=True, env={**os.environ, "PYTHONPATH": source})


def test_an_existing_collection_is_never_overwritten(tiny):
    before = {file.name: file.read_bytes() for file in tiny.path.iterdir()}
    with pytest.raises(CollectionError, match="holds a collection already"):
        create_collection(tiny.path, shared=SHARED, config={})
    assert {file.name: file.read_bytes() for file in tiny.path.iterdir()} == before


def test_a_wave_changes_no_file_but_the_manifest(tiny):
    before = {file.name: file.read_bytes() for file in tiny.path.iterdir() if file.name != "collection.json"}
    tiny.append([ObjectRecord("later", [b"x"])])
    assert {name: (tiny.path / name).read_bytes() for name in before} == before
    assert len(list(tiny.path.iterdir())) == len(before) + 3


def test_two_writers_see_each_other(tiny):
    other = open_collection(tiny.path)
    tiny.append([ObjectRecord("later", [b"x"])])
    with pytest.raises(CollectionError, match="'later' is stored already"):
        other.append([ObjectRecord("later", [b"y"])])
    other.append([ObjectRecord("last", [b"z"])])
    assert open_collection(tiny.path).ids == ["mug", "Stuhl ä", "plate", "later", "last"]
    from manyfields.collection.writer import exclusive

    with exclusive(tiny.path), pytest.raises(CollectionError, match="another process is writing"):
        tiny.append([ObjectRecord("never", [b"x"])])


def matrix(row: int, column: int, value: float) -> np.ndarray:
    changed = np.eye(4)
    changed[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([ObjectRecord("mug", [b"x"])], "'mug' is stored already"),
        ([ObjectRecord("a", [b"x"]), ObjectRecord("a", [b"x"])], "'a' occurs twice"),
        ([ObjectRecord("a", [])], "'a' has no layers"),
        ([ObjectRecord("a", [b"x", b""])], "'a', layer 1: is empty"),
        ([ObjectRecord("a", [b"x"], world_to_object=matrix(1, 1, float("nan")))], "'a': .*NaN"),
        ([ObjectRecord("a", [b"x"], world_to_object=matrix(1, 1, float("inf")))], "'a': .*infinity"),
        ([ObjectRecord("a", [b"x"], world_to_object=matrix(1, 1, 0.0))], "'a': .*singular"),
        ([ObjectRecord("a", [b"x"], world_to_object=matrix(3, 1, 1.0))], "'a': .*last row"),
        ([ObjectRecord("a", [b"x"], world_to_object=np.eye(3))], r"'a': world_to_object has shape \(3, 3\)"),
        ([ObjectRecord("a", [b"x"], bounds=[[0, 0, 0], [1, 1, 0]])], "'a': the low corner"),
        ([ObjectRecord("b", [b"x"]), ObjectRecord("", [b"x"])], "'': its id must have 1"),
        ([ObjectRecord("../a", [b"x"])], "no slash"),
        ([ObjectRecord("..", [b"x"])], r"not be \. or \.\."),
        ([ObjectRecord("a\nb", [b"x"])], "control character"),
        ([ObjectRecord("a\ud800", [b"x"])], "cannot be stored"),
        ([ObjectRecord("a", [b"x"], metrics={"psnr": None})], "column 'metrics' has empty cells"),
    ],
)
def test_records_without_meaning_are_refused_and_nothing_is_stored(tiny, records, message):
    before = sorted(file.name for file in tiny.path.iterdir())
    with pytest.raises(CollectionError, match=message) as caught:
        tiny.append(records)
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tiny.path.iterdir()) == before and tiny.verify() == []
    tiny.append([])
    tiny.append([ObjectRecord("good", [b"x"])])
    assert open_collection(tiny.path).layers("good") == [b"x"]


def test_config_must_be_json(tmp_path):
    with pytest.raises(CollectionError, match="config of the shared part cannot be stored as JSON"):
        create_collection(tmp_path / "a", shared=SHARED, config={"x": float("nan")})
    with pytest.raises(CollectionError, match="properties of the collection cannot be stored"):
        create_collection(tmp_path / "b", shared=SHARED, config={}, properties={"x": {1, 2}})


def test_unknown_ids_and_counts(tiny):
    with pytest.raises(CollectionError, match="has no object 'jug' among its 3"):
        tiny.entry("jug")
    with pytest.raises(CollectionError, match="'mug': 0 layers were asked for"):
        tiny.layers("mug", 0)


def test_equal_parts_have_equal_names_and_the_config_counts(tmp_path):
    def name(folder, config):
        return create_collection(tmp_path / folder, shared={"b": torch.ones(2), "a": torch.ones(1)}, config=config)

    first, same, other = name("a", {"x": 1, "y": 2}), name("b", {"y": 2, "x": 1}), name("c", {"x": 2})
    assert first.shared_hash == same.shared_hash != other.shared_hash
    assert (first.path / f"shared-{first.shared_hash[:16]}.safetensors").is_file()
