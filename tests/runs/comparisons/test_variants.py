"""Variants side by side under one budget."""

import json

import pytest

from manyfields.errors import ConfigError
from manyfields.runs import RunRecord, compare

SAMPLES = {"stratified": 4, "importance": 2}
CHANGES = {"resolution": 8, "hidden": 8, "sampler": SAMPLES, "final_sampler": SAMPLES, "stage1_objects": 2}


@pytest.mark.slow
def test_two_variants(data, tmp_path):
    names = ("m1", "tri-planes")
    rows = compare(data, minutes=0.03, out=tmp_path, variants=names, **CHANGES)
    assert [row["variant"] for row in rows] == list(names)
    assert all(
        row["psnr"] > 3 and row["bytes_with_shared"] > row["object_bytes"] > 0 and row["steps"] > 0 for row in rows
    )
    assert rows[0]["layer0_psnr"] is not None and rows[1]["layer0_psnr"] is None
    assert json.loads((tmp_path / "compare.json").read_text())["rows"] == rows
    page = (tmp_path / "report.html").read_text()
    assert all(name in page for name in names)
    held_out = [RunRecord.load(tmp_path / name).held_out for name in names]
    assert held_out[0] == held_out[1]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/codes-*")}
    compare(data, minutes=0.03, out=tmp_path, variants=names, **CHANGES)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/codes-*")}


def test_unknown_variant(data, tmp_path):
    with pytest.raises(ConfigError, match="variant 'duo-planes': one of fused-planes"):
        compare(data, minutes=1, out=tmp_path, variants=("duo-planes",))
