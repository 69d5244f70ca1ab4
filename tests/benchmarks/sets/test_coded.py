"""The benchmarks of one run: whom codecs learn from, on whom they are measured, and against what."""

import sys

import pytest

from benchmarks.sets import codebooks, coded, transform, walk
from manyfields.errors import RunError
from manyfields.evaluation.record import read_records
from manyfields.runs import RunRecord, add, fit

RAYS = {"name": "rays", "steps": 5, "rgb": 1.0, "emptiness": 0.01, "rays_per_object": 64, "objects_per_step": 2}
TINY = {
    "micro_features": 4,
    "macro_features": 4,
    "resolution": 16,
    "hidden": 16,
    "weight_groups": 4,
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [{**RAYS, "base_rate": 0.01, "fields_rate": 0.005}],
    "stage2": [RAYS],
}
LEARNED, ADDED = ["ball_blue", "box_tall"], ["ball_red", "box_flat"]


@pytest.fixture
def bench(tmp_path, shapes, monkeypatch):
    """A run as `benchmarks.sets.quality` makes it, of small shapes; returns it with what is to be reported."""
    reported = [*ADDED, "box_wide"]  # not all designs to report need be in a run
    monkeypatch.setattr(coded, "designs", lambda kind, part: reported if kind == "products" else [])
    run = tmp_path / "run"
    fit(shapes.write_set(tmp_path / "learn", LEARNED), run, report=False, say=lambda line: None, **TINY)
    add(run, shapes.write_set(tmp_path / "report", ADDED), report=False)
    return run, reported


def rows(monkeypatch, module, run, *words: str):
    results = run.with_name("rows.json")
    monkeypatch.setattr(sys, "argv", ["bench", *words, "--run", str(run), "--results", str(results), "--draft"])
    module.main()
    return {row.name: row for row in read_records(results.with_suffix(".draft.json"))}


def test_what_is_reported_was_added_and_codecs_learn_from_the_others(bench):
    run, reported = bench
    found = coded.Bench(run, 8)
    assert found.kind == "products" and found.measured == ADDED and sorted(found.learned_from) == LEARNED
    assert set(found.all.views) == {*LEARNED, *ADDED}
    assert coded.Bench(run, 1).measured == ADDED[:1]
    reported.append("box_tall")
    with pytest.raises(RunError, match="box_tall"):
        coded.Bench(run)


def test_a_run_without_designs_to_report_is_refused(bench):
    run, reported = bench
    reported.clear()
    with pytest.raises(RunError, match="none of the designs"):
        coded.Bench(run)


def test_transform_has_both_losses_and_goes_on(bench, monkeypatch):
    run, _ = bench
    words = ["record", "--steps", "3", "--visits", "2", "--objects"]
    rows(monkeypatch, transform, run, *words, "1")
    folder = run.with_name("run_transform_0.08_3")
    codec = coded.open_collection(folder).codec_config
    found = rows(monkeypatch, transform, run, *words, "2")
    assert coded.open_collection(folder).codec_config == codec and list(coded.open_collection(folder)) == ADDED
    value = {name.removeprefix("products.transform.").removesuffix("_32"): row.value for name, row in found.items()}
    for whole, loss in (("psnr", "loss"), ("foreground_psnr", "foreground_loss")):
        assert value[f"{loss}_db"] == pytest.approx(value[f"float16.{whole}"] - value[whole])
        further = value[f"float16_equal_steps.{whole}"]
        assert value[f"{loss}_to_equal_steps_db"] == pytest.approx(further - value[whole])
        assert further != value[f"float16.{whole}"]
    parts = sum(value[f"{part}_bytes"] for part in ("weights", "hull", "coarse", "fine"))
    assert value["object_bytes"] == pytest.approx(parts) and value["ratio"] > 1
    share = (value["shared_bytes"] + value["codec_bytes"]) / 4
    assert value["object_and_share_bytes"] == pytest.approx(parts + share)
    row = found["products.transform.loss_db_32"]
    assert row.trained == RunRecord.load(folder).trained and "2 designs" in row.note


def test_other_lambdas_have_names_of_their_own(bench, monkeypatch):
    run, _ = bench
    found = rows(monkeypatch, transform, run, "curve", "--lambdas", "0.5", "--steps", "1", "--visits", "1")
    assert "products.transform.lambda_0.5.foreground_psnr_32" in found
    assert not [name for name in found if "equal_steps" in name or "lambda" not in name]


def test_collections_of_other_settings_are_not_gone_on_with(bench, monkeypatch):
    run, _ = bench
    rows(monkeypatch, transform, run, "curve", "--lambdas", "0.5", "--steps", "1", "--visits", "1", "--objects", "1")
    with pytest.raises(RunError, match="other settings"):
        rows(monkeypatch, transform, run, "curve", "--lambdas", "0.5", "--steps", "1", "--visits", "2")


def test_codebooks(bench, monkeypatch):
    run, _ = bench
    found = rows(monkeypatch, codebooks, run, "record", "--steps", "2")
    assert {row.trained for row in found.values()} == {RunRecord.load(run.with_name("run_codebooks_2")).trained}
    assert found["products.vq.micro.foreground_loss_to_equal_steps_db_32"].unit == "dB"
    assert found["products.vq.micro.object_bytes_32"].value < found["products.vq.micro.float16.object_bytes_32"].value


def test_the_walk_stands_beside_guided_samples(bench, monkeypatch):
    run, _ = bench
    found = rows(monkeypatch, walk, run, "--objects", "1")
    for way in ("default", "across_128", "guided_24", "guided_96"):
        assert found[f"products.walk.{way}.psnr_32"].value > 0 and found[f"products.walk.{way}.ms_32"].value > 0
    assert found["products.walk.default.seconds_over_guided_24_32"].unit == "x"
    assert "products.walk.guided_24.seconds_over_guided_24_32" not in found
