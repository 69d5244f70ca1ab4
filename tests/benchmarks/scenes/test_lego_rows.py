"""Rows of a scene: what is interpolated, and what is compared."""

import pytest

from benchmarks.scenes import lego_rows


def points(*pairs: tuple[float, float]) -> list[dict]:
    return [{"bytes": size, "psnr": psnr, "foreground_psnr": psnr - 6, "value": size} for size, psnr in pairs]


def test_a_size_between_two_points_is_read_over_the_logarithm_of_bytes():
    curve = points((400.0, 30.0), (100.0, 28.0), (1600.0, 31.0))
    found = lego_rows.quality_at(curve, 200.0)
    assert found.quality == pytest.approx(29.0)
    assert [point["bytes"] for point in found.between] == [100.0, 400.0]
    assert lego_rows.quality_at(curve, 200.0, "foreground_psnr").quality == pytest.approx(23.0)
    assert lego_rows.quality_at(curve, 1600.0).quality == pytest.approx(31.0)
    assert lego_rows.quality_at(curve, 99.0) is None and lego_rows.quality_at(curve, 1601.0) is None


def test_points_that_others_beat_are_left_out():
    curve = points((100, 28.0), (400, 30.0), (200, 30.0), (800, 29.9), (200, 29.0))
    assert [(point["bytes"], point["psnr"]) for point in lego_rows.front(curve)] == [(100, 28.0), (200, 30.0)]


def test_bytes_saved_are_the_rate_the_other_way_round():
    with_it = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    without = points(*((2000.0 * 2**n, 30.0 + n) for n in range(4)))
    saved = lego_rows.saved_rows("lego.x.{}saved", without, with_it, "note", "pchip", "foreground_psnr")
    assert [(row.name, row.unit) for row in saved] == [
        ("lego.x.foreground_saved", "%"),
        ("lego.x.foreground_saved_overlap", "%"),
    ]
    assert [row.value for row in saved] == pytest.approx([50.0, 100.0])
    rows = {row.name: row for row in lego_rows.delta_rows("lego.x.{}_vs_y", without, with_it, "note")}
    assert rows["lego.x.bd_rate_vs_y"].value == pytest.approx(-50.0)
    assert rows["lego.x.bd_rate_vs_y_overlap"].value == pytest.approx(100.0)
    assert rows["lego.x.bd_psnr_vs_y"].value == pytest.approx(1.0)
    # One of three doublings of bytes is in one curve alone.
    assert rows["lego.x.bd_psnr_vs_y_overlap"].value == pytest.approx(200 / 3)
    assert "overlap 67 % of the smaller range of log bytes" in rows["lego.x.bd_psnr_vs_y"].note
    names = [row.name for row in lego_rows.compared_rows("lego.x.{}_vs_y", without, with_it, "note")]
    assert len(names) == 12 and {f"lego.x.foreground_bd_psnr_vs_y_pchip{end}" for end in ("", "_overlap")} <= {*names}


def test_curves_that_cannot_be_compared_say_why():
    few = lego_rows.delta_rows("lego.x.{}_vs_y", points((100, 28.0)), points((100, 28.0), (200, 29.0)), "note")
    assert [row.value for row in few] == [None, 0.0, None, 0.0]
    assert "1 points" in few[0].note
    # The same PSNR from other bytes, none of which are in common: a rate, but no difference of PSNR at one rate.
    low = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    high = points(*((64000.0 * 2**n, 30.0 + n) for n in range(4)))
    rate, shared, psnr, none = lego_rows.delta_rows("lego.x.{}_vs_y", high, low, "note")
    assert rate.value == pytest.approx(-100 * 63 / 64) and shared.value == 100.0
    assert psnr.value is None and none.value == 0.0
    assert "0 % of the smaller range of log rate in common, and 50 % are needed" in psnr.note
    saved = lego_rows.saved_rows("lego.x.{}saved", points((100, 28.0)), points((100, 28.0)), "note", "cubic", "psnr")
    assert [row.value for row in saved] == [None, 0.0]
