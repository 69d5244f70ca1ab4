"""The bytes of scenes by pyramids of latents."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.checked_parts import join_parts, split_parts
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.families.tensor_planes.pyramid.stream import (
    PARTS,
    START,
    decode_pyramid,
    encode_pyramid,
    part_sizes,
)

SCRIPT = """
import sys, hashlib, torch
torch.set_num_threads(int(sys.argv[1]))
sys.path.insert(0, sys.argv[3])
from _pyramids import CONFIG
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
(grids,) = PyramidCodec(CONFIG).decode([[open(sys.argv[2], "rb").read()]]).grids
print(hashlib.sha256(b"".join(t.contiguous().numpy().tobytes() for t in grids.tensors)).hexdigest())
"""


@pytest.mark.parametrize("changes", [{}, {"own_network": True}, {"levels": 2, "gain_power": 0.0}, {"price": 5.0}])
def test_scenes_come_back(pyramids, changes):
    made = pyramids.scene(**changes)
    data = encode_pyramid(made)
    again = decode_pyramid(data, pyramids.CONFIG)
    assert encode_pyramid(again) == data
    assert sum(part_sizes(data).values()) == len(data)
    one, two = made.grids(pyramids.CONFIG.numbers), again.grids(pyramids.CONFIG.numbers)
    assert one.resolution == two.resolution == pyramids.RESOLUTION
    assert all(torch.equal(a, b) for a, b in zip(one.tensors, two.tensors, strict=True))
    assert (one.network is None) == ("own_network" not in changes)
    if one.network is not None:
        assert torch.equal(one.network, two.network) and len(two.network) == pyramids.CONFIG.numbers
    assert [tuple(plane.shape[:2]) for plane in two.density.planes] == pyramids.SIZES


@pytest.mark.parametrize("threads", [1, 3])
def test_another_process_decodes_the_same_bits(pyramids, tmp_path, threads):
    made = pyramids.scene(own_network=True)
    (tmp_path / "scene").write_bytes(encode_pyramid(made))
    tests = Path(__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(threads), str(tmp_path / "scene"), str(tests)],
        capture_output=True,
        text=True,
        env=os.environ | {"MANYFIELDS_COMPILED": "0" if threads == 3 else "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    own = b"".join(tensor.contiguous().numpy().tobytes() for tensor in made.grids(pyramids.CONFIG.numbers).tensors)
    assert run.stdout.strip() == hashlib.sha256(own).hexdigest()


def test_every_damaged_byte_and_every_cut_is_refused(pyramids):
    data = encode_pyramid(pyramids.scene(own_network=True))
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        with pytest.raises(CollectionError):
            PyramidCodec(pyramids.CONFIG).decode([[bytes(damaged)]])
        with pytest.raises(CollectionError):
            PyramidCodec(pyramids.CONFIG).decode([[data[:at]]])
    with pytest.raises(CollectionError, match="after the last part"):
        PyramidCodec(pyramids.CONFIG).decode([[data + b"x"]])


@settings(max_examples=300, deadline=None)
@given(part=st.sampled_from(PARTS), choice=st.data())
def test_parts_with_right_checksums_and_other_bytes_never_crash(pyramids, part, choice):
    """Whoever can write checksums can write anything: decoding refuses it, or gives a scene of the right sizes."""
    data = encode_pyramid(pyramids.scene())
    parts = split_parts(data, START.size, PARTS)
    body = bytearray(parts[part])
    for _ in range(choice.draw(st.integers(1, 4))):
        body[choice.draw(st.integers(0, len(body) - 1))] = choice.draw(st.integers(0, 255))
    parts[part] = bytes(body)
    try:
        (grids,) = PyramidCodec(pyramids.CONFIG).decode([[join_parts(data[: START.size], parts)]]).grids
    except CollectionError:
        return
    assert grids.resolution == pyramids.RESOLUTION
    assert all(bool(tensor.isfinite().all()) for tensor in grids.tensors)


def test_a_forward_facing_scene_keeps_its_map(pyramids):
    made = replace(pyramids.scene(), map=torch.arange(16.0).view(4, 4))
    found = decode_pyramid(encode_pyramid(made), pyramids.CONFIG)
    assert torch.equal(found.map, made.map) and torch.equal(found.grids(0).map, made.map)


def test_other_files_and_families_are_named(pyramids):
    data = encode_pyramid(pyramids.scene())
    with pytest.raises(CollectionError, match="does not start with MFTP"):
        PyramidCodec(pyramids.CONFIG).decode([[b"MFTC" + data[4:]]])
    with pytest.raises(CollectionError, match="version 9"):
        PyramidCodec(pyramids.CONFIG).decode([[data[:4] + b"\x09" + data[5:]]])
    with pytest.raises(CollectionError, match="2 layers"):
        PyramidCodec(pyramids.CONFIG).decode([[data, data]])
