import torch
from hypothesis import given
from hypothesis import strategies as st

from manyfields.families.octree.morton import decode, encode

numbers = st.integers(0, 2**21 - 1)


def interleaved(cell):
    """Bit by bit: bit b of axis a is bit 3 b + a of the code."""
    return sum((cell[axis] >> bit & 1) << (3 * bit + axis) for bit in range(21) for axis in range(3))


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=20))
def test_codes_interleave_bits_and_are_inverted(cells):
    codes = encode(torch.tensor(cells))
    assert codes.tolist() == [interleaved(cell) for cell in cells]
    assert decode(codes).tolist() == [list(cell) for cell in cells]


def test_parents_are_codes_without_three_bits_and_shapes_are_kept():
    cells = torch.randint(0, 2**20, (4, 5, 3), generator=torch.Generator().manual_seed(0))
    codes = encode(cells)
    assert codes.shape == (4, 5) and codes.dtype == torch.int64
    assert torch.equal(codes >> 3, encode(cells >> 1))


def test_small_numbers_by_hand():
    assert encode(torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [2, 0, 0]])).tolist() == [1, 2, 4, 7, 8]
