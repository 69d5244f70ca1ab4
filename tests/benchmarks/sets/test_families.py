"""The benchmark of families: what it asks for, and the rows of record that it writes."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.sets import families
from manyfields.runs.comparisons.families import SYSTEMS

FORMS = ("fused_planes", "fused_planes_coded")
FIGURES = {"psnr": 30.5, "foreground_psnr": 25.0, "ssim": 0.9, "lpips": None, "fps": 2.5}
COSTS = {"object_bytes": 1234.5, "shared_bytes": 99, "fit_seconds": 61.0, "coding_seconds": None}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the benchmark with a comparison that takes no time; returns what it asked for, and the rows by name."""

    def call(*flags: str):
        asked = []

        def compared(data, **given):
            asked.append({"data": data, **given})
            plain = {"family": "fused-planes", "stored_as": "float16", "objects": 3, "steps": 70, **FIGURES, **COSTS}
            return [plain, {**plain, "stored_as": "transform", "coding_seconds": 12.0, "object_bytes": 80.0}]

        results = tmp_path / "families.json"
        monkeypatch.setattr(sys, "argv", ["families", "set", "--work", "w", "--results", str(results), *flags])
        monkeypatch.setattr(families, "compare_families", compared)
        families.main()
        return asked[0], {row["name"]: row for row in json.loads(results.read_text())}

    return call


def test_rows_of_both_forms_have_names_that_stay(run):
    asked, rows = run("--minutes", "20", "--objects", "truck", "bus")
    assert (asked["data"], asked["out"]) == (Path("set"), Path("w"))
    assert asked["minutes"] == 20 and asked["objects"] == ["truck", "bus"] and asked["families"] == tuple(SYSTEMS)
    plain, coded = ({name.split(".")[2] for name in rows if f".{kind}." in name} for kind in FORMS)
    assert plain == {"psnr", "foreground_psnr", "ssim", "fps", "object_bytes", "shared_bytes", "fit_seconds"}
    assert coded == plain | {"coding_seconds"} and len(rows) == len(plain) + len(coded)
    assert rows["families.fused_planes.object_bytes"]["value"] == 1234.5
    assert rows["families.fused_planes_coded.object_bytes"]["value"] == 80.0
    assert "20 minutes a family" in rows["families.fused_planes.psnr"]["note"]
    assert rows["families.fused_planes_coded.psnr"]["note"].endswith("3 objects, 70 steps; transform")
