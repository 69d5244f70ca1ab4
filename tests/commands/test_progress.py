"""Progress in a log: few lines, with the time left; and on a terminal: it draws and ends."""

import io

import pytest

from manyfields.commands._progress import PlainLines, duration, progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_are_sparse_and_tell_the_time_left():
    stream, clock = io.StringIO(), Clock()
    report = PlainLines("fit", stream, clock)
    for step in range(101):
        clock.now = 0.5 * step
        report("warm-up", step, 100, psnr=20 + step / 100)
    assert stream.getvalue().splitlines() == [
        "fit: warm-up 0/100, psnr 20",
        "fit: warm-up 20/100, 40 s left, psnr 20.2",
        "fit: warm-up 40/100, 30 s left, psnr 20.4",
        "fit: warm-up 60/100, 20 s left, psnr 20.6",
        "fit: warm-up 80/100, 10 s left, psnr 20.8",
        "fit: warm-up 100/100, took 50 s, psnr 21",
    ]


def test_a_new_phase_is_told_at_once():
    stream, clock = io.StringIO(), Clock()
    report = PlainLines("fit", stream, clock)
    report("warm-up", 0, 10)
    report("joint", 0, 10)
    assert stream.getvalue() == "fit: warm-up 0/10\nfit: joint 0/10\n"


def test_the_time_left_of_a_resumed_phase_counts_from_where_it_started():
    stream, clock = io.StringIO(), Clock()
    report = PlainLines("fit", stream, clock)
    report("joint", 500, 1000)
    clock.now = 100.0
    report("joint", 600, 1000)
    assert stream.getvalue().splitlines()[-1] == "fit: joint 600/1000, 6 min 40 s left"


def test_a_stream_that_is_no_terminal_gets_plain_lines():
    stream = io.StringIO()
    with progress("eval", stream) as report:
        report("objects", 1, 1)
    assert stream.getvalue() == "eval: objects 1/1, took 0 s\n"


def test_a_terminal_gets_a_bar():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress("eval", stream) as report:
        report("objects", 1, 2, psnr=30.25)
        report("objects", 2, 2, psnr=31.5)
    assert "eval: objects" in stream.getvalue() and "31.5" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
