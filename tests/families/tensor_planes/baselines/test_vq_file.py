import contextlib
import struct
from dataclasses import replace

import google_crc32c
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.baselines.vq_file import START, decode_vq_scene, encode_vq_scene, part_sizes
from manyfields.families.tensor_planes.baselines.vq_planes import VqScene, VqSplit


@pytest.fixture(scope="module")
def file(tensors) -> bytes:
    shared = tensors.new_shared()
    return encode_vq_scene(shared.family, scene_of(tensors, shared.family))


def scene_of(tensors, family, **split) -> VqScene:
    (grids,) = tensors.random_codes(family).grids
    draw = tensors.generator(5)
    importance = [torch.rand(plane.shape[:2], generator=draw) for plane in grids.density.planes]
    return VqScene.of_grids(grids, importance, VqSplit(**{"bits": 3, "pruned": 0.1, "kept": 0.3, **split}))


@pytest.mark.parametrize("split", [{}, {"kept": 0.0}, {"pruned": 0.0, "kept": 1.0}, {"bits": 1}, {"bits": 12}])
def test_a_scene_comes_back_in_eight_bits(split, tensors):
    family = tensors.new_shared().family
    scene = scene_of(tensors, family, **split)
    scene.mask[2:4] = 0
    data = encode_vq_scene(family, scene)
    again = decode_vq_scene(data)
    assert again.family.config == family.config
    assert torch.equal(again.scene.box, scene.box) and torch.equal(again.scene.mask, scene.mask)
    assert again.scene.map is None
    for own, before in zip(again.scene.planes, scene.planes, strict=True):
        assert torch.equal(own.kinds, before.kinds) and torch.equal(own.indices, before.indices)
    pairs = zip(again.scene.grids().tensors, scene.grids().tensors, strict=True)
    for here, there in [*pairs, *zip(again.family.parameters(), family.parameters(), strict=True)]:
        assert here.shape == there.shape and (here - there).abs().max() <= 0.51 / 127 * there.abs().max()
    # What was decoded is stored by the same bytes: all of it is in the file.
    assert encode_vq_scene(again.family, again.scene) == data
    sizes = part_sizes(data)
    assert sum(sizes.values()) == len(data) and min(sizes.values()) > 0


def test_the_map_of_a_forward_facing_scene_is_kept(tensors):
    family = tensors.new_shared().family
    matrix = torch.randn(4, 4, generator=tensors.generator())
    scene = replace(scene_of(tensors, family), map=matrix)
    assert torch.equal(decode_vq_scene(encode_vq_scene(family, scene)).scene.map, matrix)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_is_found(file, data):
    """Of one byte the checksum tells; with the checksum made good, only CollectionError or a scene may come."""
    place, value = data.draw(st.integers(0, len(file) - 5)), data.draw(st.integers(1, 255))
    damaged = bytearray(file)
    damaged[place] ^= value
    with pytest.raises(CollectionError):
        decode_vq_scene(bytes(damaged))
    damaged[-4:] = struct.pack("<I", google_crc32c.value(bytes(damaged[:-4])))
    with contextlib.suppress(CollectionError):
        decode_vq_scene(bytes(damaged))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:40], "does not start with MFVT and a header"),
        (lambda data: b"MFVQ" + data[4:], "does not start with MFVT"),
        (lambda data: data[:4] + b"\x02" + data[5:], "of version 2"),
        (lambda data: data[:-1], "bytes, but its header tells of"),
        (lambda data: data[:-9] + b"\x55" + data[-8:], "its CRC32C is another"),
    ],
)
def test_other_files_are_refused(damage, message, file):
    with pytest.raises(CollectionError, match=message):
        decode_vq_scene(damage(file))


def test_sizes_are_checked_before_anything_is_made(file):
    huge = bytearray(file)
    struct.pack_into("<3H", huge, 8, 2048, 2048, 2048)
    huge[-4:] = struct.pack("<I", google_crc32c.value(bytes(huge[:-4])))
    # 12 components of 2048 x 2048 texels are 150 million numbers.
    with pytest.raises(CollectionError, match="larger than what is read here"):
        decode_vq_scene(bytes(huge))
    assert START.size < 160
