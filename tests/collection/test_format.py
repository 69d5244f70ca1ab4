"""Golden bytes: files written today must be readable for ever, so a change of these digests is a change of format."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from manyfields.collection.checksums import crc32c, sha256


def read(collection, pattern):
    return next(collection.path.glob(pattern)).read_bytes()


def test_golden_bytes(tiny):
    assert (
        sha256(read(tiny, "codes-00000.safetensors"))
        == "2a4a062d3fd8c6407bbad62480735511bd9ce37e4489890047d6da54580919b2"
    )
    assert (
        sha256(read(tiny, "shared-*"))
        == tiny.shared_hash
        == "f6482d61c8c944d8c55e938cc240cfe1270f221aa0eb72f470198f101e04d884"
    )


def test_codes_shard_is_safetensors_in_the_stated_order(tiny):
    tensors = safetensors.numpy.load(read(tiny, "codes-00000.safetensors"))
    assert tensors["offsets"].dtype == np.int64 and tensors["payload"].dtype == np.uint8
    assert tensors["payload"].tobytes() == b"W0W11W222planes of mugmoreplanes of plate"
    assert tensors["offsets"].tolist() == [0, 2, 5, 9, 22, 26, 41]


def test_the_hexdump_in_the_documentation(tiny):
    text = (Path(__file__).parents[2] / "docs/reference/format.md").read_text(encoding="utf-8")
    lines = re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} +)+)\|", text, re.MULTILINE)
    assert bytes.fromhex("".join(lines)) == read(tiny, "codes-00000.safetensors")
    for id in tiny:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{id}` |"))
        for (begin, end), crc in zip(tiny.entry(id).ranges, tiny.entry(id).crc, strict=True):
            assert all(re.search(rf"\b{word}\b", row) for word in (begin, end, f"{crc:08x}")), row


def test_index_rows(tiny):
    data = read(tiny, "codes-00000.safetensors")
    rows = pq.read_table(tiny.path / "objects-00000.parquet").to_pylist()
    assert [(row["id"], row["label"], row["group"], row["shard"]) for row in rows] == [
        ("mug", "cup", "kitchen", 0),
        ("Stuhl ä", None, None, 0),
        ("plate", None, None, 0),
    ]
    layers = [[data[b:e] for b, e in zip(r["layer_begin"], r["layer_end"], strict=True)] for r in rows]
    assert layers == [[b"W0", b"planes of mug", b"more"], [b"W11"], [b"W222", b"planes of plate"]]
    assert [row["layer_crc32c"] for row in rows] == [[crc32c(layer) for layer in own] for own in layers]
    assert rows[1]["world_to_object"] == [2, 0, 0, 0.5, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    assert rows[1]["bounds"] == [-1, -1, -0.5, 1, 1, 0.5] and rows[0]["metrics"] == [("psnr", 28.5)]


def bitwise_crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_crc32c_is_castagnoli():
    assert crc32c(b"123456789") == 0xE3069283
    for data in (b"", b"W0", bytes(range(256))):
        assert crc32c(data) == bitwise_crc32c(data)


def test_the_manifest_is_sealed_as_documented(tiny):
    """The recipe of docs/reference/format.md, without our own code."""
    data = (tiny.path / "collection.json").read_bytes()
    value = json.loads(data)
    stated = value.pop("sha256")
    assert stated == sha256(data[:-78] + b"}")
    assert stated == sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    assert data.endswith(b',"sha256":"' + stated.encode() + b'"}\n')
    for wave in value["waves"]:
        for entry in (wave["index"], wave["codes"]):
            file = (tiny.path / entry["file"]).read_bytes()
            assert (entry["bytes"], entry["sha256"]) == (len(file), sha256(file))


# Serves the folder of the last argument to the documented reader, whole files and ranges.
NODE = """
import { readFileSync } from "node:fs";
globalThis.fetch = async (url, options) => {
  const data = readFileSync(url);
  if (!options) return new Response(data);
  const [, first, last] = /bytes=(\\d+)-(\\d+)/.exec(options.headers.Range).map(Number);
  return new Response(data.subarray(first, last + 1), { status: 206 });
};
const base = process.argv[2] + "/", rows = JSON.parse(readFileSync(process.argv[3]));
const manifest = await readManifest(base);
const layers = {};
for (const row of rows) {
  layers[row.id] = [];
  for (let layer = 0; layer < row.layer_begin.length; layer++)
    layers[row.id].push(new TextDecoder().decode(await readLayer(base, row, layer)));
}
console.log(JSON.stringify({ objects: manifest.waves[0].objects, layers }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="the documented JavaScript reader needs node")
def test_the_documented_javascript_reader(tiny, tmp_path):
    text = (Path(__file__).parents[2] / "docs/reference/format.md").read_text(encoding="utf-8")
    reader = re.findall(r"```js\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "reader.mjs").write_text(NODE + reader, encoding="utf-8")
    rows = pq.read_table(tiny.path / "objects-00000.parquet").to_pylist()
    (tmp_path / "rows.json").write_text(json.dumps(rows))

    def run():
        command = ["node", str(tmp_path / "reader.mjs"), str(tiny.path), str(tmp_path / "rows.json")]
        return subprocess.run(command, capture_output=True, text=True)

    assert json.loads(run().stdout) == {
        "objects": 3,
        "layers": {id: [layer.decode() for layer in tiny.layers(id)] for id in tiny},
    }
    codes = tiny.path / "codes-00000.safetensors"
    codes.write_bytes(codes.read_bytes()[:-1] + b"X")
    assert "plate, layer 1 is damaged" in run().stderr
    manifest = tiny.path / "collection.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"tiny", b"Tiny"))
    assert "collection.json is damaged" in run().stderr


def test_the_reader_of_the_guide(tiny, capsys):
    """It reads a collection without our own code."""
    text = (Path(__file__).parents[2] / "docs/guides/reading_elsewhere.md").read_text(encoding="utf-8")
    reader = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    exec(compile(reader.replace("runs/vehicles", str(tiny.path)).replace('"truck"', '"mug"'), "guide", "exec"), {})
    assert capsys.readouterr().out == f"{[len(layer) for layer in (b'W0', b'planes of mug', b'more')]}\n"
