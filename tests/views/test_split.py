import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import ConfigError, ViewError
from manyfields.views import hold_out

GOLDEN = [10, 12]
NAMES = [f"rgba/{i:03d}" for i in range(160)]


def test_the_smallest_hashes_are_held_out():
    train, test = hold_out(NAMES, "car", seed=7)
    by_hash = sorted(NAMES, key=lambda name: hashlib.sha256(f"7\ncar\n{name}".encode()).hexdigest())
    assert [NAMES[i] for i in test] == sorted(by_hash[:16])
    assert sorted(train + test) == list(range(160))


def test_the_choice_is_pinned():
    assert hold_out([str(i) for i in range(20)], "a") == ([i for i in range(20) if i not in GOLDEN], GOLDEN)


@settings(max_examples=25, deadline=None)
@given(st.permutations(NAMES[:30]))
def test_the_order_of_the_views_does_not_matter(shuffled):
    _, test = hold_out(NAMES[:30], "car")
    _, other = hold_out(shuffled, "car")
    assert {NAMES[i] for i in test} == {shuffled[i] for i in other}


def test_object_and_seed_change_the_choice():
    choices = {tuple(hold_out(NAMES, object_id, seed)[1]) for object_id in "ab" for seed in (0, 1)}
    assert len(choices) == 4


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1), (10, 1), (14, 1), (15, 2), (160, 16)])
def test_how_many_are_held_out(count, expected):
    train, test = hold_out(NAMES[:count], "x")
    assert (len(train), len(test)) == (count - expected, expected)


def test_the_datas_own_test_file_decides():
    assert hold_out(["a", "b", "c"], "x", test_names=["c", "gone"]) == ([0, 1], [2])
    assert hold_out(NAMES, "x", test_names=["gone"]) == hold_out(NAMES, "x")
    with pytest.raises(ViewError, match="object x: all 2 views are test views"):
        hold_out(["a", "b"], "x", test_names=["a", "b"])


def test_equal_names_stay_together():
    names = ["a", "b", "c", "d"] * 2
    _, test = hold_out(names, "x", fraction=0.5)
    assert sorted(names[i] for i in test) == sorted(2 * sorted({names[i] for i in test}))


def test_fraction_is_a_share():
    assert hold_out(NAMES, "x", fraction=0.0)[1] == []
    with pytest.raises(ConfigError, match="below 1, not 1.5"):
        hold_out(NAMES, "x", fraction=1.5)
