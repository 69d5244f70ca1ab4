"""Figures at equal seconds: of one run, or read between two."""

import pytest

from benchmarks.sets.equal_seconds import Point, at


def test_between_two_runs_figures_lie_on_a_line_over_the_logarithm_of_time():
    less = Point(4.0, {"psnr": (30.0, "dB"), "object_bytes": (100.0, "bytes")}, ())
    more = Point(16.0, {"psnr": (34.0, "dB"), "object_bytes": (100.0, "bytes")}, ())
    middle = at(8.0, [less, more])
    assert middle.seconds == 8.0 and middle.found["psnr"] == (pytest.approx(32.0), "dB")
    assert middle.found["object_bytes"] == (pytest.approx(100.0), "bytes")
    assert at(4.0, [less, more]).found["psnr"][0] == pytest.approx(30.0)


def test_one_run_is_taken_as_it_is():
    only = Point(8.1, {"psnr": (30.0, "dB")}, ())
    assert at(8.0, [only]) is only
