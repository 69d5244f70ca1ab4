"""The report of a run: one file, about every object, that needs nothing from elsewhere."""

import re

import pytest

from manyfields.collection import open_collection
from manyfields.runs import RunRecord
from manyfields.runs.reporting import charts, cost_account, write_run_report


def test_the_report_of_a_fit(run):
    page = (run / "report.html").read_text()
    assert all(name in page for name in open_collection(run))
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "data:image/" in page


def test_totals_for_stated_counts(run):
    page = write_run_report(run, counts=(123_457,)).read_text()
    assert "123,457" in page


def test_cost_account_of_a_run(run):
    collection, record = open_collection(run), RunRecord.load(run)
    costs = cost_account(collection, record)
    before = (record.seconds["reading"] + record.seconds["pixels"]) / len(collection)
    assert costs.stage1_objects == 2 and before > 0
    assert costs.stage1_seconds == pytest.approx(record.seconds["stage1"] + 2 * before)
    stage2 = [record.seconds[f"stage 2.{wave}"] for wave in (1, 2)]
    assert costs.object_seconds_mean == pytest.approx(sum(stage2) / 2 + before)
    entry = collection.entry("ball_red")
    assert costs.object_layer_bytes == tuple(end - begin for begin, end in entry.ranges)


def test_curves_show_every_stage(run):
    record = RunRecord.load(run)
    quality, foreground, losses = charts(record)
    assert foreground.title == "Held-out foreground PSNR while fitting"
    assert [(c.name, c.places) for c in foreground.curves] == [(c.name, c.places) for c in quality.curves]
    for point in record.curves:
        point.pop("held_out_foreground_psnr", None)  # as older versions recorded them
    assert charts(record) == (quality, losses)
    assert [curve.name for curve in quality.curves] == ["stage 1", "stage 2.1", "stage 2.2"]
    assert {"stage 1: latent", "stage 1: rgb", "stage 2.1: rgb"} <= {curve.name for curve in losses.curves}
