"""The first version did not count what objects take besides steps: a stopwatch around its functions does."""

from types import SimpleNamespace

import pytest

from benchmarks.speed import first_version


@pytest.fixture
def module(monkeypatch):
    """Functions that take one second to read and ten to plan, which reads too, by a clock of their own."""
    now = [0.0]
    monkeypatch.setattr(first_version.time, "perf_counter", lambda: now[0])

    def read(count: int) -> str:
        now[0] += count
        return f"{count} read"

    def plan() -> str:
        now[0] += 10.0
        return own.read(2)

    own = SimpleNamespace(read=read, plan=plan)
    return own


def test_what_a_function_takes_is_counted_and_what_it_gives_is_given(module):
    watch = first_version.Stopwatch()
    watch.around(module, "read")
    assert (module.read(1), module.read(count=3)) == ("1 read", "3 read")
    assert watch.seconds == 4.0


def test_what_is_read_for_a_plan_that_is_thrown_away_is_not_counted(module):
    watch = first_version.Stopwatch()
    watch.around(module, "read")
    watch.forget_after(module, "plan")
    module.read(1)
    assert module.plan() == "2 read"
    module.read(1)
    assert watch.seconds == 2.0
