"""Contexts that foretell alike share a table."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manyfields.compression.context_classes import BITS, shared_classes, smoothed_frequencies


def bits_of(counts, tables):
    return -(counts * np.log2(tables / tables.sum(1, keepdims=True))).sum()


def test_contexts_of_two_kinds_fall_apart():
    draw = np.random.default_rng(0)
    kinds = draw.integers(2, size=40)
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    counts = np.stack([draw.multinomial(200, shares[kind]) for kind in kinds]).astype(float)
    chosen, summed = shared_classes(counts, 2)
    assert len(set(chosen[kinds == 0])) == 1 and len(set(chosen[kinds == 1])) == 1
    assert chosen[kinds == 0][0] != chosen[kinds == 1][0]
    for each in (0, 1):
        assert np.array_equal(summed[each], counts[chosen == each].sum(0))


def test_more_classes_take_fewer_bits():
    draw = np.random.default_rng(1)
    counts = np.stack([draw.multinomial(300, draw.dirichlet(np.ones(5))) for _ in range(60)]).astype(float)
    sizes = []
    for count in (1, 4, 16, 60):
        chosen, summed = shared_classes(counts, count)
        sizes.append(bits_of(counts, np.stack([smoothed_frequencies(row, summed.sum(0)) for row in summed])[chosen]))
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.9 * sizes[0]


def test_fewer_contexts_than_classes_and_contexts_without_counts():
    counts = np.array([[0.0, 0.0], [7.0, 1.0]])
    chosen, summed = shared_classes(counts, 48)
    assert chosen[0] == chosen[1] < len(summed) == 2 and summed[chosen[0]].tolist() == [7.0, 1.0]


def test_one_common_kind_does_not_swallow_the_others():
    """Nearly all contexts see nothing but zeros, as where pictures hardly look."""
    draw = np.random.default_rng(2)
    kinds = [[1 - 3e-4, 1e-4, 2e-4], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]
    counts = np.stack([draw.multinomial(n, kinds[k]) for k, n in [(0, 5000)] * 80 + [(1, 300)] * 4 + [(2, 100)] * 3])
    chosen, _ = shared_classes(counts.astype(float), 24)
    groups = [set(chosen[part]) for part in (slice(80), slice(80, 84), slice(84, 87))]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_what_was_never_counted_goes_where_the_average_costs_least():
    counts = np.array([[900.0, 100.0], [0.0, 0.0], [10.0, 90.0]])
    chosen, _ = shared_classes(counts, 2)
    assert chosen[1] == chosen[0] != chosen[2]


@given(st.integers(1, 255), st.floats(0.001, 3), st.integers(0, 500))
def test_frequencies_are_above_0_and_sum_to_a_power_of_two(symbols, spread, seed):
    draw = np.random.default_rng(seed)
    counts, others = (draw.exponential(spread, symbols).round() for _ in range(2))
    found = smoothed_frequencies(counts, counts + others)
    assert found.min() >= 1 and found.sum() == 1 << BITS


def test_what_a_class_has_not_seen_it_takes_from_the_others():
    everything = np.array([1000.0, 100.0, 10.0, 0.0])
    of_few, of_many = (smoothed_frequencies(np.array([count, 0.0, 0.0, 0.0]), everything) for count in (1.0, 1e5))
    assert of_few[1] > of_few[2] > of_few[3] >= 1
    assert of_many[0] > of_few[0] and of_many[1] < 0.01 * of_few[1]
