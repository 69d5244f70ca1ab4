"""Values out of JSON are of the kinds that their fields have."""

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.runs.typed_values import build, check_kinds


@dataclass(frozen=True)
class Kinds:
    count: int = 1
    share: float = 0.5
    name: str | None = None
    on: bool = False
    way: Literal["a", "b"] = "a"
    sides: tuple[int, ...] = ()


VALUES = {
    "count": st.integers(),
    "share": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "name": st.none() | st.text(),
    "on": st.booleans(),
    "way": st.sampled_from(["a", "b"]),
    "sides": st.lists(st.integers()).map(tuple),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_values_of_their_kinds_are_taken(values):
    assert build(Kinds, values, "x") == Kinds(**values)


@given(st.sampled_from(sorted(VALUES)), st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_other_values_are_named(name, value):
    suits = {
        "count": type(value) is int,
        "share": type(value) is int or (type(value) is float and abs(value) < float("inf")),
        "name": value is None or type(value) is str,
        "on": type(value) is bool,
        "way": value in ("a", "b"),
        "sides": False,
    }
    if suits[name]:
        check_kinds(Kinds, {name: value}, "x")
        return
    with pytest.raises(ConfigError, match=f"^x.{name}: ") as caught:
        check_kinds(Kinds, {name: value}, "x")
    assert "\n" not in str(caught.value) or "\n" in str(value)


def test_what_is_no_such_thing():
    with pytest.raises(ConfigError, match="x: 3 must be an object of settings"):
        build(Kinds, 3, "x")
    with pytest.raises(ConfigError, match="x: no setting is called 'size'; there are count, name"):
        build(Kinds, {"size": 3}, "x")
    assert build(Kinds, Kinds(3), "x") == Kinds(3)
