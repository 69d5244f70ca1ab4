"""The bytes of a scene in transform coding."""

import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import google_crc32c
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import manyfields
from manyfields.compression.network_bytes import decode_network, encode_network, network_bytes
from manyfields.compression.transform.latents import LatentTables
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.stream import (
    HEADER,
    PARTS,
    START,
    decode_coded,
    encode_coded,
    part_sizes,
)


def equal(one, two) -> bool:
    if torch.is_tensor(one) or torch.is_tensor(two):
        return torch.is_tensor(one) and torch.is_tensor(two) and one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(equal, one, two))
    if hasattr(one, "__dataclass_fields__"):
        return all(equal(getattr(one, name), getattr(two, name)) for name in one.__dataclass_fields__)
    return one == two


@pytest.mark.parametrize("choices", [{}, {"bits": 4, "vector_bits": 16}, {"bits": 12, "latent": 7, "seed": 5}])
def test_scenes_come_back(choices, scenes):
    scene = scenes.scene(**choices)
    data = encode_coded(scene)
    again = decode_coded(data, scenes.CONFIG)
    assert equal(again, scene)
    assert encode_coded(again) == data
    assert sum(part_sizes(data).values()) == len(data)
    grids = again.grids()
    assert grids.resolution == scenes.RESOLUTION and grids.map is None
    assert grids.density.components == 2 and grids.appearance.components == 3
    plane = scene.decoder(scene.latents[1], (14, 5))
    assert torch.equal(grids.density.planes[1], plane[:2].permute(1, 2, 0))
    assert torch.equal(grids.appearance.planes[1], plane[2:].permute(1, 2, 0))
    assert torch.equal(grids.appearance.vectors[2], scene.vectors[5])


def test_a_map_and_planes_without_latents(scenes):
    scene = scenes.scene()
    empty = tuple(torch.zeros_like(mask) for mask in scene.masks)
    scene = replace(
        scene,
        map=torch.arange(16.0).view(4, 4),
        masks=empty,
        latents=tuple(torch.zeros_like(own) for own in scene.latents),
        tables=LatentTables(torch.full((3, 1), 64), 6, 0),
    )
    data = encode_coded(scene)
    again = decode_coded(data, scenes.CONFIG)
    assert torch.equal(again.map, scene.map) and not again.latents[0].any()
    assert part_sizes(data)["latents"] == 0


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("hyper", [False, True])
def test_a_network_of_the_scene_comes_back(bits, hyper, scenes):
    numbers = torch.randn(scenes.CONFIG.numbers, generator=scenes.generator())
    numbers = decode_network(encode_network(numbers, bits), len(numbers), bits)
    before = scenes.scene_with_hyperprior() if hyper else scenes.scene()
    data = encode_coded(replace(before, network=numbers, network_bits=bits))
    assert (data[4], data[7]) == (2, 2 + hyper)
    assert list(part_sizes(data))[-1] == "own network"
    assert part_sizes(data)["own network"] == 1 + network_bytes(len(numbers), bits)
    again = decode_coded(data, scenes.CONFIG)
    assert torch.equal(again.network, numbers) and torch.equal(again.grids().network, numbers)
    assert encode_coded(again) == data
    with pytest.raises(CollectionError, match="^own network: .* bytes where .* are due"):
        decode_coded(data, replace(scenes.CONFIG, hidden=9))


def test_the_bytes_are_what_format_says(scenes):
    data = encode_coded(scenes.scene())
    magic, version, bits, vector_bits, zero, *sides = struct.unpack_from("<4s4B6H", data)
    assert (magic, version, bits, vector_bits, zero) == (b"MFTC", 1, 8, 8, 0)
    assert sides == [4, 5, 9, 14, 3, 4]
    assert struct.unpack_from("<6f", data, 20) == (-0.5, -0.25, -1.0, 0.5, 0.75, 0.5)
    assert hashlib.sha256(data).hexdigest()[:16] == GOLDEN


def test_bytes_of_latents_are_what_their_tables_say(scenes):
    scene = scenes.scene(latent=40)
    symbols = torch.cat([own[:, mask] for own, mask in zip(scene.latents, scene.masks, strict=True)], 1) + 3
    bits = -(scene.tables.frequencies[0].double() / 64)[symbols].log2().sum()
    size = part_sizes(encode_coded(scene))["latents"]
    assert size > 300 and abs(float(bits) / 8 - size) <= 4


@pytest.mark.parametrize("part", PARTS)
def test_damage_is_found_and_named(part, scenes):
    data = encode_coded(scenes.scene())
    start = HEADER + sum(part_sizes(data)[name] for name in PARTS[: PARTS.index(part)])
    altered = data[:start] + bytes([data[start] ^ 1]) + data[start + 1 :]
    with pytest.raises(CollectionError, match=f"^{part}: damaged, its CRC32C is another"):
        decode_coded(altered, scenes.CONFIG)
    with pytest.raises(CollectionError, match=f"^{part}: cut short, 1 of"):
        decode_coded(data[: start + 1], scenes.CONFIG)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "the header: cut short, 0 of"),
        (lambda data: b"MFVQ" + data[4:], "it does not start with MFTC"),
        (lambda data: data[:50], "the header: cut short, 50 of"),
        (lambda data: data[:4] + b"\3" + data[5:], "version 3"),
        (lambda data: data[:4] + b"\2" + data[5:], "flags 0 of version 2 are not known"),
        (lambda data: data[:30] + b"\0" + data[31:], "the header: damaged"),
        (lambda data: data + b"\0", "1 bytes after the last part"),
    ],
)
def test_a_damaged_header_is_refused(damage, message, scenes):
    with pytest.raises(CollectionError, match=message):
        decode_coded(damage(encode_coded(scenes.scene())), scenes.CONFIG)


def forged(data: bytes, **changes: int) -> bytes:
    """With other numbers in the header, and checksums to match."""
    names = ("magic", "version", "bits", "vector_bits", "zero", "cells", "x", "y", "z", "latent", "hidden")
    values = dict(zip(names, START.unpack_from(data), strict=False)) | changes
    head = START.pack(*values.values(), *START.unpack_from(data)[len(names) :]) + data[START.size : HEADER - 4]
    return head + struct.pack("<I", google_crc32c.value(head)) + data[HEADER:]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 1}, "too few or too many"),
        ({"x": 60000, "y": 60000}, "more than .* numbers to decode"),
        ({"latent": 2000}, "too few or too many"),
        ({"bits": 3}, "a decoder of 3 bits"),
        ({"vector_bits": 9}, "vectors of 9"),
        ({"cells": 5}, "a mask of 5 cells"),
        ({"zero": 1}, "flags 1 of version 1 are not known"),
        ({"version": 2, "zero": 128}, "flags 128 of version 2 are not known"),
        ({"version": 2, "zero": 5}, "flags 5 of version 2 are not known"),
        ({"hidden": 5}, "decoder"),
        ({"latent": 4}, "table"),
        ({"z": 15}, "vectors"),
        ({"x": 40}, "mask of latents"),
    ],
)
def test_a_header_that_claims_what_is_not_there(changes, message, scenes):
    with pytest.raises(CollectionError, match=message):
        decode_coded(forged(encode_coded(scenes.scene()), **changes), scenes.CONFIG)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_altered_bytes_with_true_checksums_do_no_harm(data):
    """What a stranger wrote is refused, or a scene of the stated size."""
    scenes_module = sys.modules["manyfields_test_scenes"]
    whole = bytearray(encode_coded(scenes_module.scene()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(START.size, len(whole) - 1))] = data.draw(st.integers(0, 255))
    start = HEADER
    for number in range(len(PARTS)):
        at = START.size + 8 * number
        (size,) = struct.unpack_from("<I", whole, at)
        struct.pack_into("<I", whole, at + 4, google_crc32c.value(bytes(whole[start : start + size])))
        start += size
    struct.pack_into("<I", whole, HEADER - 4, google_crc32c.value(bytes(whole[: HEADER - 4])))
    try:
        scene = decode_coded(bytes(whole), scenes_module.CONFIG)
    except CollectionError as error:
        assert "\n" not in str(error)
    else:
        assert scene.grids().resolution == scenes_module.RESOLUTION


def test_another_process_with_more_threads_decodes_the_same_bits(scenes, tmp_path):
    scene = scenes.scene(latent=24, hidden=16)
    data = encode_coded(scene)
    (tmp_path / "scene").write_bytes(data)
    program = (
        "import hashlib, sys, torch; from pathlib import Path\n"
        "from manyfields.families.tensor_planes.transform.stream import decode_coded, encode_coded\n"
        "from manyfields.families.tensor_planes.field import TensorConfig\n"
        "torch.set_num_threads(2)\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "scene = decode_coded(data, TensorConfig('vm', 2, 3, 5, 8, guide_side=4))\n"
        "assert encode_coded(scene) == data\n"
        "planes = b''.join(tensor.numpy().tobytes() for tensor in scene.grids().tensors)\n"
        "print(hashlib.sha256(planes).hexdigest())\n"
    )
    path = str(Path(manyfields.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "scene")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    planes = b"".join(tensor.numpy().tobytes() for tensor in scene.grids().tensors)
    assert done.stdout.strip() == hashlib.sha256(planes).hexdigest()


def test_the_codec(scenes):
    codec = TransformCodec(scenes.CONFIG)
    pair = [scenes.scene(seed=1), scenes.scene(seed=2)]
    encoded = codec.layers_of(pair)
    codes = codec.decode(encoded)
    assert len(codes) == 2 and torch.equal(codes.grids[1].mask, pair[1].alpha)
    with pytest.raises(CollectionError, match="2 layers"):
        codec.decode([[b"", b""]])
    with pytest.raises(ValueError, match="no planes"):
        TransformCodec(TensorConfig("cp"))


def test_what_cannot_be_stored_is_refused(scenes):
    scene = scenes.scene()
    with pytest.raises(CollectionError, match="NaN"):
        encode_coded(replace(scene, vectors=(scene.vectors[0] * float("nan"), *scene.vectors[1:])))
    with pytest.raises(ValueError, match="latents beyond 2047"):
        encode_coded(replace(scene, latents=tuple(5000 * own for own in scene.latents)))


GOLDEN = "9e98122e143ff0b4"
