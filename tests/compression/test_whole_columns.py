"""Columns of numbers in steps of their own."""

from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyfields.compression.whole_columns import decode_columns, encode_columns
from manyfields.errors import CollectionError


@given(st.integers(1, 30), st.integers(1, 5), st.booleans(), st.sampled_from([0.01, 0.1, 0.5]), st.integers(0, 99))
def test_numbers_come_back_within_half_a_step(rows, columns, along, share, seed):
    values = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).cumsum(0)
    found = decode_columns(encode_columns(values, share, "vectors", along), rows, columns, "vectors", along)
    step = share * values.square().mean(0).sqrt()
    assert bool(((found - values).abs() <= 0.501 * step + 1e-5).all())


def test_smooth_lines_take_fewer_bytes_as_differences():
    line = torch.linspace(0, 6.28, 200).sin()[:, None]
    assert len(encode_columns(line, 0.02, "v")) < 0.6 * len(encode_columns(line, 0.02, "v", along=False))


def test_zeros_and_one_row():
    assert torch.equal(decode_columns(encode_columns(torch.zeros(1, 3), 0.1, "v"), 1, 3, "v"), torch.zeros(1, 3))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(wrong):
    with pytest.raises(CollectionError, match="vectors: NaN or infinity"):
        encode_columns(torch.tensor([[wrong]]), 0.1, "vectors")


def test_damage_is_refused():
    data = encode_columns(torch.randn(20, 2, generator=torch.Generator().manual_seed(1)), 0.1, "v")
    for end in range(len(data)):  # a coder's words may end early by chance: that is for checksums to find
        with suppress(CollectionError):
            assert decode_columns(data[:end], 20, 2, "v").shape == (20, 2)
    for end in range(12):
        with pytest.raises(CollectionError, match="^v: "):
            decode_columns(data[:end], 20, 2, "v")
    with pytest.raises(CollectionError, match="not above 0"):
        decode_columns(b"\0\0" + data[2:], 20, 2, "v")
