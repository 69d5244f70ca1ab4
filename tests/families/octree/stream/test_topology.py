import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import CollectionError
from manyfields.families.octree.stream.topology import decode_topology, encode_topology, face_neighbours


def tree_of(finest: list[int], first: int, last: int) -> list[np.ndarray]:
    """The voxels above the finest ones, level by level."""
    codes = np.unique(np.array(finest, np.int64))
    levels = [codes]
    for _ in range(last - first):
        levels.append(np.unique(levels[-1] >> 3))
    return levels[::-1]


def morton(points: np.ndarray, bits: int) -> np.ndarray:
    codes = np.zeros(len(points), np.int64)
    for bit in range(bits):
        for axis in range(3):
            codes |= (points[:, axis] >> bit & 1) << (3 * bit + axis)
    return codes


def ball(first: int, last: int) -> list[np.ndarray]:
    """The surface of a ball."""
    points = np.random.default_rng(0).normal(size=(200_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cells = ((0.8 * points + 1) / 2 * 2**last).astype(np.int64)
    return tree_of(morton(cells, last).tolist(), first, last)


def counts_of(voxels):
    return [len(codes) for codes in voxels]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 4), st.integers(0, 2), st.data())
def test_voxels_come_back_from_every_prefix(first, more, data):
    finest = data.draw(st.lists(st.integers(0, 8 ** (first + more) - 1), max_size=30))
    voxels = tree_of(finest, first, first + more)
    parts = encode_topology(voxels, first)
    assert len(parts) == len(voxels)
    for count in range(len(parts) + 1):
        decoded = decode_topology(parts[:count], first, counts_of(voxels))
        assert len(decoded) == count
        assert all(np.array_equal(a, b) for a, b in zip(decoded, voxels, strict=False))


def test_voxels_without_children_may_stand_between():
    voxels = [np.array([0, 3, 6]), np.array([25, 26, 31])]
    decoded = decode_topology(encode_topology(voxels, 1), 1, [3, 3])
    assert all(np.array_equal(a, b) for a, b in zip(decoded, voxels, strict=True))


def test_golden_bytes():
    first, second = encode_topology([np.array([8, 10, 24]), np.array([64, 71, 80, 199])], 2)
    # One node at level 0 with children 1 and 3, nodes 1 (children 0, 2) and 3 (child 0) at level 1.
    assert first.hex() == "00" + "03000000" + "0a" + "05" + "01"
    # Voxel 8 has children 0 and 7, voxel 10 child 0, voxel 24 child 7.
    assert second.hex() == "00" + "03000000" + "81" + "01" + "80"


def test_a_surface_takes_a_bit_or_two_a_voxel():
    voxels = ball(4, 7)
    parts = encode_topology(voxels, 4)
    assert [part[0] for part in parts] == [1, 1, 1, 2]  # neighbours pay where there are many nodes
    nodes = counts_of(voxels)
    assert 8 * len(parts[3]) < 1.6 * nodes[3]
    assert all(np.array_equal(a, b) for a, b in zip(decode_topology(parts, 4, nodes), voxels, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(*[st.integers(0, 7)] * 3), min_size=1, max_size=80))
def test_neighbours_are_those_beside(places):
    points = np.array(sorted(places))
    order = np.argsort(morton(points, 3))
    found = face_neighbours(morton(points, 3)[order])
    for point, sets in zip(points[order], found.tolist(), strict=True):
        for number in range(6):
            beside = point.copy()
            beside[number // 2] += 1 if number % 2 else -1
            assert (sets >> number & 1) == (tuple(beside.tolist()) in places)


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        ([np.array([3, 1])], "level 1: Morton codes must rise"),
        ([np.array([1, 1])], "level 1: Morton codes must rise"),
        ([np.array([8])], "level 1: Morton codes must rise strictly from 0 to 7"),
        ([np.array([1]), np.array([9, 16])], "level 2: a voxel has no parent in level 1"),
    ],
)
def test_octrees_that_are_none_are_refused(voxels, message):
    with pytest.raises(ValueError, match=message):
        encode_topology(voxels, 1)


VOXELS = ball(2, 4)
PARTS = encode_topology(VOXELS, 2)


@pytest.mark.parametrize("level", [2, 3, 4])
def test_truncated_parts_name_the_level(level):
    number = level - 2
    for end in range(len(PARTS[number])):
        damaged = [*PARTS[:number], PARTS[number][:end], *PARTS[number + 1 :]]
        with pytest.raises(CollectionError, match=f"level {level}") as caught:
            decode_topology(damaged, 2, counts_of(VOXELS))
        assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.integers(0, 10**6), st.integers(1, 255))
def test_altered_parts_are_octrees_or_an_error(number, place, change):
    part = bytearray(PARTS[number])
    part[place % len(part)] ^= change
    try:
        decoded = decode_topology([*PARTS[:number], bytes(part), *PARTS[number + 1 :]], 2, counts_of(VOXELS))
    except CollectionError as error:
        assert "level" in str(error)
        return
    encode_topology(decoded, 2)  # still voxels with parents
    assert counts_of(decoded) == counts_of(VOXELS)


@pytest.mark.parametrize(
    ("part", "count", "message"),
    [
        (b"\0\2\0\0\0\1\1", 1, "level 1: 2 nodes above 1 voxels"),
        (b"\0\1\0\0\0\0", 1, "level 1: a node without children"),
        (b"\0\1\0\0\0\3", 1, "level 1: its nodes do not have 1 voxels below them"),
        (b"\7\1\0\0\0\3", 2, "level 1: 6 bytes are not 1 nodes"),
        (b"\2\1\0\0\0\3", 2, "level 1: 6 bytes are not 1 nodes"),
        (b"\0\1\0\0\0\3", 9, "level 1: 9 voxels; a level has at most 8"),
    ],
)
def test_hostile_parts(part, count, message):
    with pytest.raises(CollectionError, match=message):
        decode_topology([part], 1, [count])
