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
from manyfields.compression.checked_parts import header_size
from manyfields.errors import CollectionError
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.families.factor_fields.transform.stream import (
    PARTS,
    START,
    decode_factors,
    encode_factors,
    factor_part_sizes,
)

HEADER = header_size(START.size, len(PARTS))
GOLDEN = "c598b43e38f0ae81"


@pytest.mark.parametrize("changes", [{}, {"bits": 4, "coefficient_bits": 16}, {"latent": 1, "hidden": 9}], ids=str)
def test_scenes_come_back(changes, factors):
    scene = factors.coded(**changes)
    data = encode_factors(scene)
    again = decode_factors(data, factors.CONFIG)
    assert encode_factors(again) == data
    assert sum(factor_part_sizes(data).values()) == len(data)
    for own, before in zip(again.grids().tensors, scene.grids().tensors, strict=True):
        assert own.dtype == torch.float32 and torch.equal(own, before)
    assert torch.equal(again.box, scene.box) and torch.equal(again.alpha, scene.alpha)
    assert [tuple(basis.shape) for basis in again.grids().bases] == [(4, 4, 4, 3), (5, 5, 5, 1), (7, 7, 7, 2)]


def test_the_bytes_are_what_format_says(factors):
    data = encode_factors(factors.coded())
    magic, version, bits, coefficient_bits, zero, *sides = struct.unpack_from("<4s4B6H", data)
    assert (magic, version, bits, coefficient_bits, zero) == (b"MFTF", 1, 8, 8, 0)
    assert sides == [8, 4, 3, 2, 3, 4]
    assert struct.unpack_from("<6f", data, 20) == pytest.approx((-0.5, -0.6, -0.4, 0.7, 0.6, 0.5))
    assert HEADER == 104
    assert hashlib.sha256(data).hexdigest()[:16] == GOLDEN


def test_a_grid_is_its_level_of_the_decoder(factors):
    scene = factors.coded()
    made = scene.decoder(scene.latents[2], (7, 7, 7))
    assert made.shape == (3, 7, 7, 7)
    expected = made[:2].permute(1, 2, 3, 0) * scene.scales[2]
    assert torch.equal(scene.grids().bases[2], expected)


@pytest.mark.parametrize("part", PARTS)
def test_damage_is_found_and_named(part, factors):
    data = encode_factors(factors.coded())
    sizes = factor_part_sizes(data)
    start = HEADER + sum(sizes[name] for name in PARTS[: PARTS.index(part)])
    altered = data[:start] + bytes([data[start] ^ 1]) + data[start + 1 :]
    with pytest.raises(CollectionError, match=f"^{part}: damaged, its CRC32C is another"):
        decode_factors(altered, factors.CONFIG)
    with pytest.raises(CollectionError, match=f"^{part}: cut short, 1 of"):
        decode_factors(data[: start + 1], factors.CONFIG)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "the header: cut short, 0 of"),
        (lambda data: b"MFTC" + data[4:], "it does not start with MFTF"),
        (lambda data: data[:50], "the header: cut short, 50 of"),
        (lambda data: data[:4] + b"\2" + data[5:], "version 2"),
        (lambda data: data[:30] + b"\7" + data[31:], "the header: damaged"),
        (lambda data: data + b"\0", "1 bytes after the last part"),
    ],
)
def test_a_damaged_header_is_refused(damage, message, factors):
    with pytest.raises(CollectionError, match=message):
        decode_factors(damage(encode_factors(factors.coded())), factors.CONFIG)


def forged(data: bytes, **changes: int) -> bytes:
    """With other numbers in the header, and checksums to match."""
    names = ("magic", "version", "bits", "coefficient_bits", "zero", "cells", "x", "y", "z", "latent", "hidden")
    values = dict(zip(names, START.unpack_from(data), strict=False)) | changes
    head = START.pack(*values.values(), *START.unpack_from(data)[len(names) :]) + data[START.size : HEADER - 4]
    return head + struct.pack("<I", google_crc32c.value(head)) + data[HEADER:]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 1}, "not of this family"),
        ({"x": 512, "y": 512, "z": 512}, "not of this family"),
        ({"latent": 2000}, "too few or too many"),
        ({"bits": 3}, "a decoder of 3 bits"),
        ({"coefficient_bits": 9}, "coefficients of 9"),
        ({"cells": 5}, "a mask of 5 cells"),
        ({"zero": 1}, "flags 1"),
        ({"hidden": 5}, "decoder"),
        ({"latent": 4}, "table"),
        ({"z": 3}, "coefficients"),
    ],
)
def test_a_header_that_claims_what_is_not_there(changes, message, factors):
    with pytest.raises(CollectionError, match=message):
        decode_factors(forged(encode_factors(factors.coded()), **changes), factors.CONFIG)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_altered_bytes_with_true_checksums_do_no_harm(data):
    """What a stranger wrote is refused, or a scene of the stated size."""
    factors = sys.modules["manyfields_test_factors"]
    whole = bytearray(encode_factors(factors.coded()))
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
        scene = decode_factors(bytes(whole), factors.CONFIG)
    except CollectionError as error:
        assert "\n" not in str(error)
    else:
        assert [len(basis) for basis in scene.grids().bases] == list(factors.CONFIG.sides)


def test_another_process_with_more_threads_decodes_the_same_bits(factors, tmp_path):
    scene = factors.coded(latent=24, hidden=16)
    data = encode_factors(scene)
    (tmp_path / "scene").write_bytes(data)
    program = (
        "import hashlib, sys, torch; from pathlib import Path\n"
        "from manyfields.families.factor_fields.transform.stream import decode_factors, encode_factors\n"
        "from manyfields.families.factor_fields.field import FactorConfig\n"
        "torch.set_num_threads(2)\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        f"scene = decode_factors(data, {factors.CONFIG!r})\n"
        "assert encode_factors(scene) == data\n"
        "grids = b''.join(tensor.numpy().tobytes() for tensor in scene.grids().tensors)\n"
        "print(hashlib.sha256(grids).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "scene")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(manyfields.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    grids = b"".join(tensor.numpy().tobytes() for tensor in scene.grids().tensors)
    assert done.stdout.strip() == hashlib.sha256(grids).hexdigest()


def test_the_codec(factors):
    codec = FactorTransformCodec(factors.CONFIG)
    pair = [factors.coded(seed=1), factors.coded(seed=2)]
    encoded = codec.layers_of(pair)
    codes = codec.decode(encoded)
    assert len(codes) == 2 and torch.equal(codes.grids[1].mask, pair[1].alpha)
    with pytest.raises(CollectionError, match="2 layers"):
        codec.decode([[b"", b""]])


def test_what_cannot_be_stored_is_refused(factors):
    scene = factors.coded()
    with pytest.raises(CollectionError, match="NaN"):
        encode_factors(replace(scene, coefficients=scene.coefficients * float("nan")))
    with pytest.raises(ValueError, match="latents beyond 2047"):
        encode_factors(replace(scene, latents=tuple(5000 * own for own in scene.latents)))
