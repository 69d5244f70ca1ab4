"""The four families side by side: the same objects, views and time, as fitted and with their codecs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.runs import RunRecord, compare_families

PHASE = {"steps": 12, "rgb": 1.0, "smoothness": 0.0, "objects_per_step": 2, "rays_per_object": 64}
MIXTURE = {
    "mixture": {"hidden_layers": 2, "width": 16, "bases": 6, "latent": 4, "w0": 10.0, "guide_side": 8},
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [{**PHASE, "name": "mixture", "codes_rate": 0.05, "base_rate": 0.002, "fields_rate": 0.002}],
    "stage2": [{**PHASE, "name": "mixture", "codes_rate": 0.05}],
}
CODING = {
    "fused-planes": {"steps": 4, "visits": 3, "rays": 64},
    "octree": {"steps": 4, "bits": 3},
    "tensorf": {"rays": 64},
}
FORMS = {"fused-planes": "transform", "octree": "vq", "tensorf": "pyramid"}
OBJECTS = ("ball_red", "box_flat", "box_tall")


@pytest.fixture(scope="module")
def settings(rgb_settings, octree_settings, tensor_settings):
    files = {"fused-planes": rgb_settings, "octree": octree_settings, "tensorf": tensor_settings}
    read = {name: json.loads(file.read_text()) for name, file in files.items()}
    read["tensorf"].pop("preset")
    return {**read, "mixture": MIXTURE}


@pytest.fixture
def compared(data, tmp_path, settings):
    def call(**changes):
        given = {"out": tmp_path, "minutes": 0.01, "objects": OBJECTS, "changes": settings, "coding": CODING}
        return compare_families(data, **given | changes)

    return call


@pytest.mark.slow
def test_all_families_on_the_same_views(compared, tmp_path):
    told = []
    rows = compared(progress=lambda phase, *rest, **figures: told.append(phase))
    forms = [(row["family"], row["stored_as"]) for row in rows]
    coded = [(name, form) for family in FORMS for name, form in ((family, "float16"), (family, FORMS[family]))]
    assert forms == [*coded, ("mixture", "float16")]
    for row in rows:
        assert row["psnr"] > 3 and row["fps"] > 0 and row["fit_seconds"] > 0 and row["objects"] == len(OBJECTS)
        assert (row["coding_seconds"] is None) == (row["stored_as"] == "float16")
        whole = row["object_bytes"] + row["shared_bytes"] / len(OBJECTS)
        assert row["bytes_with_shared"] == pytest.approx(whole, abs=0.1)
    for plain, small in zip(rows[:6:2], rows[1:6:2], strict=True):
        assert small["object_bytes"] < plain["object_bytes"] and small["fit_seconds"] == plain["fit_seconds"]
    records = [RunRecord.load(tmp_path / name) for name in dict(forms)]
    records += [RunRecord.load(tmp_path / f"{name}-coded") for name in FORMS]
    assert len(records) == 7 and all(record.held_out == records[0].held_out for record in records)
    assert sorted(records[0].held_out) == sorted(OBJECTS) and all(r.size == (32, 32) for r in records)
    assert any(phase.startswith("octree, growing octrees") for phase in told)
    assert any(phase.startswith("octree by vq, ") for phase in told)
    kept = json.loads((tmp_path / "compare.json").read_text())
    assert kept["rows"] == rows
    page = (tmp_path / "report.html").read_text()
    assert all(f"{name}, {form}" in page for name, form in forms) and "data:image/png" in page
    picture = np.asarray(Image.open(tmp_path / "families.png"))
    assert picture.shape[1] == 6 + 8 * (128 + 6)  # truth and seven ways, enlarged

    stamps = times(tmp_path)
    assert compared() == rows and times(tmp_path) == stamps
    assert RunRecord.load(tmp_path / "octree-coded").seconds["compress"] >= rows[3]["coding_seconds"]


class Killed(BaseException):
    """As by a signal."""


def stop(phase, done, total, **figures):
    if phase == "mixture, stage 1: mixture" and done == 3:
        raise Killed


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/codes-*")}


def test_what_was_interrupted_goes_on_and_families_can_follow(compared, tmp_path):
    with pytest.raises(Killed):
        compared(families=("octree", "mixture"), objects=("box_flat",), progress=stop)
    before = json.loads((tmp_path / "compare.json").read_text())["rows"]
    assert [row["stored_as"] for row in before] == ["float16", "vq"]
    planned = RunRecord.load(tmp_path / "mixture").phases1
    rows = compared(families=("mixture", "octree"), objects=("box_flat",))
    assert [row["family"] for row in rows] == ["mixture", "octree", "octree"] and rows[1:] == before
    assert RunRecord.load(tmp_path / "mixture").phases1 == planned
    with pytest.raises(RunError, match="holds runs of other settings, objects or data: choose another folder"):
        compared(families=("mixture",))


def test_settings_are_those_of_the_first_run_that_began(compared):
    with pytest.raises(ViewError):
        compared(families=("mixture",), objects=("x",))
    with pytest.raises(Killed):
        compared(families=("mixture",), progress=stop)
    with pytest.raises(RunError, match="holds runs of other settings"):
        compared(families=("mixture",), minutes=0.02)


def test_families_that_hold_out_other_views_are_not_compared(compared, settings):
    changes = {**settings, "mixture": {**MIXTURE, "held_out": 0.3}}
    with pytest.raises(RunError, match=r"mixture: of object ball_red other views are held out"):
        compared(families=("octree", "mixture"), objects=("ball_red",), changes=changes)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"families": ("octree", "nerf")},
            ConfigError,
            "^family 'nerf': one of fused-planes, octree, tensorf, mix",
        ),
        ({"coding": {"siren": {}}}, ConfigError, "family 'siren'"),
        ({"objects": ("x",)}, ViewError, "has no object 'x'"),
    ],
)
def test_requests_without_meaning_are_refused(compared, changes, kind, message):
    with pytest.raises(kind, match=message):
        compared(**changes)
