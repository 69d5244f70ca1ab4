"""The benchmark of families: what it asks for, and the rows of record that it writes."""

import sys
from types import SimpleNamespace

import pytest

from benchmarks.sets import families
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import read_records
from manyfields.runs.comparisons.families import SYSTEMS

FORMS = ("fused_planes", "fused_planes_coded")
FIGURES = {"psnr": 30.5, "foreground_psnr": 25.0, "ssim": 0.9, "lpips": None, "holes": 0.01, "fps": 2.5}
COSTS = {"object_bytes": 1234.5, "shared_bytes": 9000, "fit_seconds": 61.0, "coding_seconds": None}
SHARES = {"object_and_share_bytes", "object_and_share_of_10000_bytes"}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the benchmark with a comparison that takes no time; returns what it asked for, and the rows by name."""

    def call(*flags: str, octree: float = 62.0):
        asked, loaded = [], []

        def compared(data, **given):
            asked.append({"data": data, **given})
            plain = {"family": "fused-planes", "stored_as": "float16", "objects": 3, "steps": 70, **FIGURES, **COSTS}
            coded = {**plain, "stored_as": "transform", "coding_seconds": 12.0, "object_bytes": 80.0}
            return [plain, coded, {**plain, "family": "octree", "fit_seconds": octree}]

        def load(folder):
            loaded.append(folder.name)
            return SimpleNamespace(trained=(origin_here(folder.name),))

        monkeypatch.setattr(families, "designs", lambda kind, part: [f"{kind}_{part}_{n}" for n in range(9)])
        monkeypatch.setattr(families, "RunRecord", SimpleNamespace(load=load))
        monkeypatch.setattr(families, "compare_families", compared)
        results = tmp_path / "families.json"
        words = ["families", "--work", str(tmp_path), "--results", str(results), "--draft", *flags]
        monkeypatch.setattr(sys, "argv", words)
        families.main()
        assert loaded == ["fused-planes", "fused-planes-coded", "octree"]
        return asked[0], {row.name: row for row in read_records(results.with_suffix(".draft.json"))}

    return call


def test_rows_of_both_forms_have_names_that_stay(run, tmp_path):
    asked, rows = run("--minutes", "20", "--objects", "3")
    assert asked["minutes"] == 20 and asked["families"] == tuple(SYSTEMS)
    assert asked["out"] == tmp_path / "families_vehicles_128_3"
    assert sorted(each.name for each in asked["data"].iterdir()) == [f"vehicles_report_{n}" for n in range(3)]
    plain, coded = ({name.split(".")[3] for name in rows if f".{kind}." in name} for kind in FORMS)
    assert plain == {name for name, value in (FIGURES | COSTS).items() if value is not None} | SHARES
    assert coded == plain | {"coding_seconds"}
    own = {kind: f"vehicles.families.{kind}" for kind in FORMS}
    assert rows[f"{own['fused_planes']}.object_bytes"].value == 1234.5
    assert rows[f"{own['fused_planes_coded']}.object_and_share_bytes"].value == 80.0 + 3000.0
    assert rows[f"{own['fused_planes_coded']}.object_and_share_of_10000_bytes"].value == 80.9
    row = rows[f"{own['fused_planes_coded']}.psnr"]
    assert "20 minutes planned" in row.note and row.note.endswith("; transform, learned from these objects")
    assert [each.views for each in row.trained] == ["fused-planes-coded"]


def test_notes_say_whether_seconds_were_equal(run):
    assert "in equal seconds (" in run()[1]["vehicles.families.octree.psnr"].note
    note = run("--kind", "products", "--size", "256", octree=122.0)[1]["products.families.octree.psnr_256"].note
    assert "not in equal seconds: the longest took 100% more (fused-planes 61, octree 122)" in note
