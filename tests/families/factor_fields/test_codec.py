import struct

import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.families.factor_fields.codec import FactorCodec


def test_scenes_come_back_as_float16(factors):
    codes = factors.random_codes(count=2)
    codes.grids[1].mask[2:5] = 0
    codec = FactorCodec(factors.CONFIG)
    encoded = codec.encode(codes)
    again = codec.decode(encoded)
    for own, before in zip(again.grids, codes.grids, strict=True):
        assert torch.equal(own.box, before.box) and torch.equal(own.mask, before.mask)
        for tensor, old in zip(own.tensors, before.tensors, strict=True):
            assert torch.equal(tensor, old.half().float())
    assert codec.encode(again) == encoded and codec.encode(codes[1]) == encoded[1:]


def test_the_layout_is_what_format_says(factors):
    (grids,) = factors.random_codes().grids
    grids = grids.with_tensors([torch.full_like(tensor, n) for n, tensor in enumerate(grids.tensors)])
    ((layer,),) = FactorCodec(factors.CONFIG).encode(grids.codes())
    cells, x, y, z, mask, *placed = struct.unpack_from("<4HI6f", layer)
    assert (cells, (x, y, z)) == (8, grids.resolution)
    assert placed == pytest.approx([-0.5, -0.6, -0.4, 0.7, 0.6, 0.5])
    numbers = torch.frombuffer(bytearray(layer[36 + mask :]), dtype=torch.float16)
    counts = [3 * 4**3, 5**3, 2 * 7**3, 6 * x * y * z]
    assert numbers.tolist() == [n for n, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "cut short, 20 bytes"),
        (lambda data: data[:-2], "coefficients and all else have"),
        (lambda data: data + b"\0\0", "coefficients and all else have"),
        (lambda data: struct.pack("<H", 9) + data[2:], "a mask of 9 cells"),
        (lambda data: data[:2] + struct.pack("<H", 1) + data[4:], "a side and 1 x .* not of this family"),
        (lambda data: data[:12] + struct.pack("<f", float("nan")) + data[16:], "its box has no inside"),
        (lambda data: data[:12] + struct.pack("<f", 3.0) + data[16:], "its box has no inside"),
        (lambda data: data[:-2] + b"\x00\x7c", "not finite"),
        (lambda data: data[:36] + b"\xff" + data[37:], "the layer of the hull is damaged"),
    ],
)
def test_damaged_bytes_are_refused(damage, message, factors):
    codec = FactorCodec(factors.CONFIG)
    ((layer,),) = codec.encode(factors.random_codes())
    with pytest.raises(CollectionError, match=message):
        codec.decode([[damage(layer)]])


def test_what_cannot_be_stored_is_refused(factors):
    codes = factors.random_codes()
    codes.grids[0].bases[0][0, 0, 0, 0] = float("nan")
    with pytest.raises(CollectionError, match="NaN"):
        FactorCodec(factors.CONFIG).encode(codes)
    with pytest.raises(CollectionError, match="2 layers"):
        FactorCodec(factors.CONFIG).decode([[b"", b""]])
