import struct
from dataclasses import replace

import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.codec import TensorCodec
from manyfields.families.tensor_planes.grids import TensorCodes


@pytest.mark.parametrize("kind", ["vm", "cp"])
def test_scenes_come_back_as_float16(kind, tensors):
    family = tensors.new_shared(kind).family
    codes = tensors.random_codes(family, 2)
    codes.grids[1].mask[2:5] = 0
    codec = TensorCodec(family.config)
    encoded = codec.encode(codes)
    again = codec.decode(encoded)
    for own, before in zip(again.grids, codes.grids, strict=True):
        assert torch.equal(own.box, before.box) and torch.equal(own.mask, before.mask)
        assert own.resolution == before.resolution
        assert len(own.tensors) == (12 if kind == "vm" else 6)
        for tensor, old in zip(own.tensors, before.tensors, strict=True):
            assert torch.equal(tensor, old.half().float())
    assert codec.encode(again) == encoded
    assert codec.encode(codes[1]) == encoded[1:]


def test_a_network_of_a_scene_has_no_place(tensors):
    family = tensors.new_shared().family
    (grids,) = tensors.random_codes(family).grids
    with pytest.raises(CollectionError, match="a network of its own"):
        TensorCodec(family.config).encode(TensorCodes((replace(grids, network=family.numbers()),)))


def test_the_layout_is_what_format_says(tensors):
    family = tensors.new_shared("cp", components=1, guide_side=2).family
    grids = family.new_grids(tensors.BOX, (2, 3, 4))
    grids = grids.with_tensors([torch.ones_like(tensor) * n for n, tensor in enumerate(grids.tensors)])
    ((layer,),) = TensorCodec(family.config).encode(TensorCodes((grids,)))
    cells, x, y, z, mask, *placed = struct.unpack_from("<4HI22f", layer)
    assert placed[6:] == [0.0] * 16
    assert (cells, x, y, z) == (2, 2, 3, 4) and placed[:6] == pytest.approx([-0.5, -0.6, -0.4, 0.7, 0.6, 0.5])
    # Vectors of density (one component) along z, y, x, then those of appearance (two).
    numbers = torch.frombuffer(bytearray(layer[100 + mask :]), dtype=torch.float16)
    counts = [4, 3, 2, 8, 6, 4]
    assert numbers.tolist() == [n for n, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "cut short, 20 bytes"),
        (lambda data: data[:-2], "bytes, but 5 x 6 x 7 texels"),
        (lambda data: data + b"\0\0", "bytes, but 5 x 6 x 7 texels"),
        (lambda data: struct.pack("<H", 9) + data[2:], "a mask of 9 cells"),
        (lambda data: data[:2] + struct.pack("<H", 1) + data[4:], "1 x 6 x 7 texels: not of this family"),
        (lambda data: data[:12] + struct.pack("<f", float("nan")) + data[16:], "its box has no inside"),
        (lambda data: data[:12] + struct.pack("<f", 3.0) + data[16:], "its box has no inside"),
        (lambda data: data[:96] + struct.pack("<f", float("inf")) + data[100:], "its map holds numbers"),
        (lambda data: data[:-2] + b"\x00\x7c", "not finite"),
        (lambda data: data[:100] + b"\xff" + data[101:], "the layer of the hull is damaged"),
    ],
)
def test_damaged_bytes_are_refused(damage, message, tensors):
    family = tensors.new_shared().family
    codec = TensorCodec(family.config)
    ((layer,),) = codec.encode(tensors.random_codes(family))
    with pytest.raises(CollectionError, match=message):
        codec.decode([[damage(layer)]])


def test_numbers_that_are_none_are_refused(tensors):
    family = tensors.new_shared().family
    codes = tensors.random_codes(family)
    codes.grids[0].appearance.vectors[0][0, 0] = float("nan")
    with pytest.raises(CollectionError, match="NaN"):
        TensorCodec(family.config).encode(codes)
    with pytest.raises(CollectionError, match="2 layers"):
        TensorCodec(family.config).decode([[b"", b""]])


def test_the_map_of_a_forward_facing_scene_is_kept(tensors):
    family = tensors.new_shared().family
    grids = replace(tensors.random_codes(family).grids[0], map=torch.randn(4, 4, generator=tensors.generator()))
    codec = TensorCodec(family.config)
    (again,) = codec.decode(codec.encode(TensorCodes((grids,)))).grids
    assert torch.equal(again.map, grids.map)
    with pytest.raises(ValueError, match="cannot be rendered side by side"):
        family.field(TensorCodes((grids, replace(grids, map=None))))
