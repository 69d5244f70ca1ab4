import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from manyfields.compression.network_bytes import BLOCK, decode_network, encode_network, network_bytes
from manyfields.errors import CollectionError

NUMBERS = arrays(np.float32, st.integers(0, 300), elements=st.floats(-1e4, 1e4, width=32))


@given(NUMBERS)
def test_bytes_are_near_by_the_largest_of_their_block(values):
    data = encode_network(torch.from_numpy(values), 8)
    assert len(data) == network_bytes(len(values), 8)
    back = decode_network(data, len(values), 8).numpy()
    for at in range(0, len(values), BLOCK):
        there, here = values[at : at + BLOCK], back[at : at + BLOCK]
        # Half a step, and what the scale itself lost as float16 (its smallest numbers are 6e-8 apart).
        largest = np.abs(there).max()
        assert np.abs(here - there).max() <= 0.5 * largest / 127 + largest * 2**-10 + 127 * 6e-8


@given(NUMBERS)
def test_sixteen_bits_are_float16(values):
    data = encode_network(torch.from_numpy(values), 16)
    assert len(data) == network_bytes(len(values), 16)
    assert np.array_equal(decode_network(data, len(values), 16).numpy(), values.astype(np.float16).astype(np.float32))


def test_golden_bytes():
    values = torch.tensor([127.0, -63.4, 0.0])
    assert encode_network(values, 8) == bytes.fromhex("003c 7f c1 00")
    assert decode_network(bytes.fromhex("003c 7f c1 00"), 3, 8).tolist() == [127.0, -63.0, 0.0]


@pytest.mark.parametrize(("scale", "message"), [(b"\x00\xbc", "below 0"), (b"\x00\x7c", "not finite")])
def test_scales_without_meaning_are_refused(scale, message):
    with pytest.raises(CollectionError, match=message):
        decode_network(scale + b"\x01", 1, 8)


def test_nan_is_refused():
    with pytest.raises(CollectionError, match="NaN"):
        encode_network(torch.tensor([float("nan")]), 8)
