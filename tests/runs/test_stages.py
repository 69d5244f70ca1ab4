"""Objects of one group stay on one side, by a seeded choice that does not depend on the others."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from manyfields.runs.stages import split_stages


def objects(groups: list[int | None]) -> list[SimpleNamespace]:
    return [SimpleNamespace(id=f"o{i}", group=None if g is None else f"g{g}") for i, g in enumerate(groups)]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=20), st.integers(1, 25), st.integers(0, 3)
)
def test_groups_are_never_split_and_everyone_is_placed_once(groups, wanted, seed):
    items = objects(groups)
    first, second = split_stages(items, wanted, seed)
    assert first and sorted(item.id for item in first + second) == sorted(item.id for item in items)
    assert not {item.group for item in first if item.group} & {item.group for item in second if item.group}
    sizes = [groups.count(group) if group is not None else 1 for group in groups]
    if min(sizes) <= wanted:
        assert len(first) <= wanted
    for item in second:
        size = 1 if item.group is None else sum(other.group == item.group for other in items)
        assert len(first) + size > wanted, "there was room for it"


def test_choice_is_seeded():
    items = objects([None] * 40)
    chosen = [{item.id for item in split_stages(items, 10, seed)[0]} for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2] and all(len(ids) == 10 for ids in chosen)


def test_choice_does_not_depend_on_the_order():
    items = objects([None] * 12 + [0, 0, 1, 1])
    ids = [{item.id for item in split_stages(order, 5, 0)[0]} for order in (items, items[::-1])]
    assert ids[0] == ids[1]


def test_a_group_too_large_is_passed_over_where_others_fit():
    for seed in range(8):
        first, _ = split_stages(objects([0, 0, 0, None]), 2, seed)
        assert [item.id for item in first] == ["o3"]


def test_one_group_larger_than_asked_for_is_taken_whole():
    first, second = split_stages(objects([0, 0, 0]), 2, 0)
    assert len(first) == 3 and not second
