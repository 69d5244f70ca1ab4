"""What is said of a long run, and what an object takes besides steps."""

from types import SimpleNamespace

import pytest

from benchmarks.speed.bench import before_steps
from benchmarks.speed.of_record import best_and_last_fifth


def test_what_the_last_fifth_brought_is_over_the_best_before_it():
    rising = [(10.0, 20.0), (50.0, 30.0), (80.0, 31.0), (90.0, 31.25), (100.0, 31.5)]
    assert best_and_last_fifth(rising) == (31.5, 0.5)
    assert best_and_last_fifth([*rising[:-1], (100.0, 29.0)]) == (31.25, 0.25)


def test_a_run_whose_best_came_early_has_gained_nothing():
    assert best_and_last_fifth([(10.0, 31.0), (79.0, 33.0), (100.0, 32.5)]) == (33.0, 0.0)


def test_what_objects_take_before_their_steps_is_reading_and_pixels_less_those_of_the_run_they_were_added_to():
    earlier = SimpleNamespace(seconds={"reading": 2.0, "pixels": 1.0, "stage1": 50.0})
    added = SimpleNamespace(seconds={"reading": 3.5, "pixels": 1.25, "stage1": 50.0, "add.2": 9.0, "compress": 4.0})
    assert before_steps(added) == pytest.approx(4.75)
    assert before_steps(added, earlier) == pytest.approx(1.75)
