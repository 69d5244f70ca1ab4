import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.transform.masks import decode_masks, encode_masks
from manyfields.errors import CollectionError

SIZES = [(5, 7), (3, 7), (3, 5)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_masks_come_back(seed, share):
    draw = np.random.default_rng(seed)
    sizes = [tuple(draw.integers(1, 12, 2).tolist()) for _ in range(3)]
    masks = [draw.random(size) < share for size in sizes]
    data = encode_masks(masks)
    again = decode_masks(data, sizes)
    assert all((own == before).all() and own.shape == before.shape for own, before in zip(again, masks, strict=True))
    assert encode_masks(again) == data


def test_what_looks_like_its_neighbours_takes_few_bits():
    y, x = np.mgrid[:64, :64]
    disc = (x - 30) ** 2 + (y - 34) ** 2 < 400
    assert len(encode_masks([disc] * 3)) < 0.4 * 3 * 64 * 64 / 8


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_other_bytes_are_refused_or_masks(data):
    try:
        assert [mask.shape for mask in decode_masks(data, SIZES)] == SIZES
    except CollectionError as error:
        assert "the mask of latents" in str(error)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:6], "cut short"),
        (lambda data: b"\x03" + data[1:], "its tables are damaged"),
        (lambda data: b"\xc0" + data[1:], "its tables are damaged"),
        (lambda data: data[:1] + b"\xff\xff" + data[3:], "its tables are damaged"),
        (lambda data: data[:-1], "not the words of an entropy coder"),
        (lambda data: data + b"\1\0\0\0", "do not end where"),
    ],
)
def test_damage_is_named(damage, message):
    draw = np.random.default_rng(0)
    data = encode_masks([draw.random(size) < 0.5 for size in SIZES])
    with pytest.raises(CollectionError, match=message):
        decode_masks(damage(data), SIZES)
