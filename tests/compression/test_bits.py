import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.bits import CHUNK, pack_bits, packed_bytes, unpack_bits
from manyfields.errors import CollectionError


@pytest.mark.parametrize(
    ("indices", "bits", "golden"),
    [
        ([], 6, ""),
        ([1, 0, 1, 1, 0, 0, 0, 0, 1], 1, "b080"),
        ([1, 2, 3], 3, "2980"),
        ([63, 0, 1, 62], 6, "fc007e"),
        ([0xAB, 0xCD], 8, "abcd"),
        ([1023, 1], 10, "ffc010"),
        ([0x1234, 0xFFFF], 16, "1234ffff"),
    ],
)
def test_golden_bytes(indices, bits, golden):
    assert pack_bits(np.array(indices, np.int64), bits).hex() == golden
    assert unpack_bits(bytes.fromhex(golden), len(indices), bits).tolist() == indices


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 16), st.data())
def test_indices_come_back(bits, data):
    indices = np.array(data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=50)), np.int64)
    packed = pack_bits(indices, bits)
    assert len(packed) == packed_bytes(len(indices), bits) == -(-len(indices) * bits // 8)
    # The definition, with Python's own numbers.
    text = "".join(f"{index:0{bits}b}" for index in indices)
    assert packed == bytes(int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8))
    assert np.array_equal(unpack_bits(packed, len(indices), bits), indices)


def test_chunks_join_without_a_seam():
    indices = np.random.default_rng(0).integers(0, 2**7, 2 * CHUNK + 5)
    assert np.array_equal(unpack_bits(pack_bits(indices, 7), len(indices), 7), indices)


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [(b"\0", 3, "1 bytes where 3 indices of 3 bits take 2"), (b"\0\x01", 3, "bits are set after the last index")],
)
def test_bytes_that_do_not_fit_are_errors(data, count, message):
    with pytest.raises(CollectionError, match=f"level 7: {message}"):
        unpack_bits(data, count, 3, "level 7")


@pytest.mark.parametrize(("indices", "bits"), [([4], 2), ([-1], 2), ([0], 0), ([0], 17)])
def test_indices_that_do_not_fit_are_refused(indices, bits):
    with pytest.raises(ValueError):
        pack_bits(np.array(indices), bits)
