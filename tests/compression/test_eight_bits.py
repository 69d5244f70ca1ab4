import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from manyfields.compression.eight_bits import decode_eight_bits, encode_eight_bits
from manyfields.errors import CollectionError

MATRIX = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9), elements=st.floats(-99, 99, width=16)
)


@given(st.lists(MATRIX, min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_numbers_are_near_by_the_largest_of_their_column(matrices):
    tensors = [torch.from_numpy(each) for each in matrices]
    shapes = [tuple(each.shape) for each in tensors]
    data = encode_eight_bits(tensors, "numbers")
    again = decode_eight_bits(data, shapes, "numbers")
    for here, there in zip(again, matrices, strict=True):
        largest = np.abs(there).max(0, initial=0.0)
        assert (np.abs(here.numpy() - there) <= 0.51 * largest / 127 + largest * 2**-10 + 127 * 6e-8).all()
    # What was decoded is stored as it is.
    assert encode_eight_bits(again, "numbers") == data


def test_few_different_numbers_take_few_bytes():
    wide = torch.zeros(5000, 2)
    wide[0] = 1.0
    assert len(encode_eight_bits([wide], "numbers")) < 300


def test_wrong_bytes_are_refused():
    data = encode_eight_bits([torch.randn(8, 4, generator=torch.Generator().manual_seed(0))], "numbers")
    with pytest.raises(CollectionError, match="numbers: cut short, 3 bytes for scales of 4 columns"):
        decode_eight_bits(data[:3], [(8, 4)], "numbers")
    with pytest.raises(CollectionError, match="numbers: a scale below 0"):
        decode_eight_bits(b"\x00\xbc" + data[2:], [(8, 4)], "numbers")
    with pytest.raises(CollectionError, match="numbers"):
        decode_eight_bits(data, [(6, 4)], "numbers")
    with pytest.raises(CollectionError, match="numbers: NaN"):
        encode_eight_bits([torch.full((2, 2), torch.nan)], "numbers")
