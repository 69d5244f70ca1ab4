"""The cost account's formulas on the paper's own numbers, and the forecast."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.evaluation.costs import CostAccount, object_seconds
from manyfields.evaluation.forecast import PhasePilot, Pilot, forecast
from manyfields.evaluation.units import format_bytes, format_seconds

ACCOUNT = CostAccount(
    stage1_seconds=31.2 * 3600,
    stage1_objects=500,
    shared_bytes=54_000_000,
    encoder_bytes=2_000_000,
    object_layer_bytes=(204.0, 491_520.0),
    object_seconds_mean=8.96 * 60,
    object_seconds_median=8.9 * 60,
)


def test_time_is_stage_1_and_then_so_much_an_object():
    assert ACCOUNT.total_time(1) == ACCOUNT.total_time(500) == 31.2 * 3600
    assert ACCOUNT.total_time(2000) == pytest.approx(31.2 * 3600 + 1500 * 8.96 * 60)
    unmeasured = replace(ACCOUNT, object_seconds_mean=None)
    assert unmeasured.total_time(500) == 31.2 * 3600 and unmeasured.total_time(501) is None


@settings(max_examples=20)
@given(st.integers(1, 10**7))
def test_bytes_count_the_shared_part_once(n):
    assert ACCOUNT.total_bytes(n) == 54_000_000 + n * 491_724.0
    assert ACCOUNT.total_bytes(n, with_encoder=True) - ACCOUNT.total_bytes(n) == 2_000_000
    assert ACCOUNT.bytes_per_object(n) == pytest.approx(491_724 + 54_000_000 / n)


def test_ten_thousand_objects_take_the_papers_five_gigabytes():
    assert ACCOUNT.total_bytes(10_000) == pytest.approx(5e9, rel=0.02)


def test_json_round_trip_and_its_refusals():
    assert CostAccount.from_json(json.loads(json.dumps(ACCOUNT.to_json()))) == ACCOUNT
    with pytest.raises(ConfigError, match="stage1_seconds"):
        CostAccount.from_json({"seconds": 3})
    with pytest.raises(ConfigError, match="list"):
        CostAccount.from_json([])
    with pytest.raises(ConfigError, match="not 0"):
        ACCOUNT.total_time(0)


def test_table_has_a_row_for_each_count():
    rows = ACCOUNT.table((1, 1000))
    assert [row.objects for row in rows] == [1, 1000]
    assert rows[1].seconds == ACCOUNT.total_time(1000) and rows[1].served_bytes == ACCOUNT.total_bytes(1000)


def test_summary_of_stage_2():
    assert object_seconds([1.0, 2.0, 6.0]) == {"object_seconds_mean": 3.0, "object_seconds_median": 2.0}
    assert object_seconds([]) == {"object_seconds_mean": None, "object_seconds_median": None}


def test_forecast_adds_phases_and_says_so_in_one_paragraph():
    around = {"before": (("reading", 60.0),), "after": (("storing", 0.0), ("report", 120.0))}
    pilot = Pilot((PhasePilot("warm-up", 0.5, 240), PhasePilot("joint", 1.0, 600)), 10, 1_000_000, 50_000, **around)
    found = forecast(pilot)
    assert found.minutes == (("reading", 1.0), ("warm-up", 2.0), ("joint", 10.0), ("report", 2.0))
    assert found.total_minutes == 15.0 and found.total_bytes == 1_500_000
    assert "15.0 min in all (reading 60.0 s, warm-up 2.00 min, joint 10.0 min, report 2.00 min)" in found.text
    assert "1.50 MB on disk for 10 objects" in found.text and "150 kB an object" in found.text
    assert "\n" not in found.text
    with pytest.raises(ConfigError, match="'joint'"):
        forecast(replace(pilot, phases=(PhasePilot("joint", -1.0, 3),)))
    with pytest.raises(ConfigError, match="not 0"):
        forecast(replace(pilot, objects=0))


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (999.7, "1.00 kB"), (491_520, "492 kB"), (999_600, "1.00 MB")],
)
def test_bytes_as_people_read_them(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0, "0.00 ms"), (0.99, "990 ms"), (0.9996, "1.00 s"), (90, "1.50 min"), (259200, "3.00 days")],
)
def test_seconds_as_people_read_them(seconds, text):
    assert format_seconds(seconds) == text
