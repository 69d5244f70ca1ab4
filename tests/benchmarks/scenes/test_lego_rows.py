"""Rows of a scene: what is interpolated, and what is compared."""

import pytest

from benchmarks.scenes import lego_rows


def points(*pairs: tuple[float, float]) -> list[dict]:
    return [{"bytes": size, "psnr": psnr, "value": size} for size, psnr in pairs]


def test_a_size_between_two_points_is_read_over_the_logarithm_of_bytes():
    curve = points((400.0, 30.0), (100.0, 28.0), (1600.0, 31.0))
    found = lego_rows.psnr_at(curve, 200.0)
    assert found.psnr == pytest.approx(29.0)
    assert [point["bytes"] for point in found.between] == [100.0, 400.0]
    assert lego_rows.psnr_at(curve, 1600.0).psnr == pytest.approx(31.0)
    assert lego_rows.psnr_at(curve, 99.0) is None and lego_rows.psnr_at(curve, 1601.0) is None


def test_points_that_others_beat_are_left_out():
    curve = points((100, 28.0), (400, 30.0), (200, 30.0), (800, 29.9), (200, 29.0))
    assert [(point["bytes"], point["psnr"]) for point in lego_rows.front(curve)] == [(100, 28.0), (200, 30.0)]


def test_bytes_saved_are_the_rate_the_other_way_round():
    with_it = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    without = points(*((2000.0 * 2**n, 30.0 + n) for n in range(4)))
    assert lego_rows.saved_row("lego.x.saved", without, with_it, "note").value == pytest.approx(50.0)
    rate, psnr, overlap = lego_rows.delta_rows("lego.x.{}_vs_y", without, with_it, "note")
    assert (rate.name, psnr.name, overlap.name) == ("lego.x.bd_rate_vs_y", "lego.x.bd_psnr_vs_y", "lego.x.overlap_vs_y")
    assert rate.value == pytest.approx(-50.0) and psnr.value == pytest.approx(1.0) and overlap.value == 100.0


def test_curves_that_cannot_be_compared_say_why():
    few = lego_rows.delta_rows("lego.x.{}_vs_y", points((100, 28.0)), points((100, 28.0), (200, 29.0)), "note")
    assert [row.value for row in few] == [None, None, 0.0]
    assert "1 points" in few[0].note
    # The same PSNR from other bytes, none of which are in common: a rate, but no difference of PSNR at one rate.
    low = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    high = points(*((64000.0 * 2**n, 30.0 + n) for n in range(4)))
    rate, psnr, overlap = lego_rows.delta_rows("lego.x.{}_vs_y", high, low, "note")
    assert rate.value == pytest.approx(-100 * 63 / 64) and psnr.value is None and overlap.value == 100.0
    assert "do not overlap in rate" in psnr.note
    assert lego_rows.saved_row("lego.x.saved", points((100, 28.0)), points((100, 28.0)), "note").value is None
