import struct
from dataclasses import replace

import google_crc32c
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.bits import packed_bytes
from manyfields.compression.network_bytes import network_bytes
from manyfields.errors import CollectionError
from manyfields.families.octree.stream.sizes import size_table
from manyfields.families.octree.stream.stream import ENTRY, START, VqLevel, VqObject, decode_vq, encode_vq, read_header

# The worked example of docs/reference/vq_stream.md.
EXAMPLE = VqObject(
    first=1,
    levels=(
        VqLevel(
            voxels=torch.tensor([0, 3, 5]),
            indices=torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1]),
            codebook=torch.tensor([[0.0, 1.0], [-2.0, 0.5]]),
        ),
        VqLevel(
            voxels=torch.tensor([1, 24, 25, 47]),
            indices=torch.tensor([3, 0, 2, 1, 1, 2, 0, 3, 3, 1]),
            codebook=torch.tensor([[1.0, -1.0], [0.25, 0.0], [2.0, 3.0], [-0.5, 65504.0]]),
        ),
    ),
    network=torch.tensor([1.5, -1.0, 0.125]),
    config={"b": 1, "a": "x"},
)
GOLDEN = bytes.fromhex(
    "4d465651 01010202 0f000000 03000000"
    "01000000 03000000 0c000000 06000000 02000000 34463437 cb35f8cb b0e8982c"
    "02000000 04000000 0a000000 08000000 03000000 3e0653cd b28bd3ff 6f949ed6"
    "7b2261223a2278222c2262223a317d c4e00d1a 971c41fe"
    "003e00bc0030"
    "000100000029 0000003c00c00038 69d0"
    "0003000000020380 003c00bc00340000004000420 0b8ff7b c963d0".replace(" ", "")
)
ENDS = [109, 125, 152]


def scene(levels=3, bits=6, features=16, seed=0, skew=2.0, count=40):
    """Random voxels with children, random indices: no corners are derived, only counted."""
    generator = torch.Generator().manual_seed(seed)
    voxels = torch.randperm(8**3, generator=generator)[:count].sort().values
    made = []
    for _ in range(levels):
        if made:
            children = (voxels[:, None] * 8 + torch.arange(8)).flatten()
            voxels = children[torch.rand(len(children), generator=generator) < 0.3]
        corners = 3 * len(voxels)
        indices = (torch.rand(corners, generator=generator) ** skew * (1 << bits)).long()
        made.append(VqLevel(voxels, indices, torch.randn(1 << bits, features, generator=generator)))
    return VqObject(3, tuple(made), torch.randn(50, generator=generator), {"family": "octree"})


def equal(one: VqObject, other: VqObject) -> bool:
    """Up to the rounding to 16 bits."""
    same = (one.first, dict(one.config), len(one.levels)) == (other.first, dict(other.config), len(other.levels))
    return (
        same
        and torch.equal(one.network.half(), other.network.half())
        and all(
            torch.equal(a.voxels, b.voxels)
            and torch.equal(a.indices, b.indices)
            and torch.equal(a.codebook.half(), b.codebook.half())
            for a, b in zip(one.levels, other.levels, strict=True)
        )
    )


def first_levels(item: VqObject, count: int) -> VqObject:
    return VqObject(item.first, item.levels[:count], item.network, item.config)


def test_golden_bytes():
    assert encode_vq(EXAMPLE) == GOLDEN
    assert equal(decode_vq(GOLDEN), EXAMPLE)
    assert read_header(GOLDEN).ends() == ENDS


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize(("levels", "bits", "features"), [(1, 1, 1), (3, 6, 16), (2, 10, 4)])
def test_objects_come_back_from_every_prefix(entropy, levels, bits, features):
    item = scene(levels, bits, features, skew=6.0, count=200)
    data = encode_vq(item, entropy=entropy)
    assert data == encode_vq(decode_vq(data), entropy=entropy)
    for count, end in enumerate(read_header(data).ends()):
        assert equal(decode_vq(data[:end]), first_levels(item, count))
    assert end == len(data)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10])
def test_indices_and_codebooks_take_what_the_paper_says_to_the_byte(bits):
    """Sum over levels of ceil(m b / 8) + 2 k 2^b (VQ-AD, with entries of 16 bits); the rest of the file is what else is
    in the table."""
    item = scene(bits=bits)
    data = encode_vq(item)
    table = size_table(data)
    formula = sum(-(-len(level.indices) * bits // 8) + 2 * 16 * 2**bits for level in item.levels)
    rows = dict(table.rows())
    assert rows["codebooks"] + rows["indices"] == formula
    assert table.paper == formula + 2 * 50
    assert table.total == sum(rows.values()) == len(data)
    assert len(data) - rows["header"] - rows["network"] - rows["topology"] == formula
    assert table.uncompressed == 2 * 50 + sum(2 * 16 * len(level.indices) for level in item.levels)
    assert table.ratio == table.uncompressed / len(data) < table.paper_ratio


def test_the_table_of_some_levels_and_of_entropy_coding():
    item = scene(skew=5.0, count=200)
    data = encode_vq(item, entropy=True)
    header = read_header(data)
    for count in range(4):
        assert size_table(data, count).total == header.ends()[count]
    table = size_table(data)
    assert table.total == len(data) < len(encode_vq(item))
    assert table.paper == size_table(encode_vq(item)).paper
    assert all(level.indices < level.packed == packed_bytes(level.corners, 6) for level in table.levels[1:])


@pytest.mark.parametrize("entropy", [False, True])
def test_a_network_of_bytes_takes_half(entropy):
    item = replace(scene(count=60), network_bits=8)
    data, plain = encode_vq(item, entropy=entropy), encode_vq(replace(item, network_bits=16), entropy=entropy)
    back = decode_vq(data)
    assert back.network_bits == 8 and (back.network - item.network).abs().max() <= item.network.abs().max() / 250
    assert len(plain) - len(data) == 50 - 2 and size_table(data).uncompressed == size_table(plain).uncompressed
    assert size_table(data).network == 52 and size_table(data).total == len(data)
    for count, end in enumerate(read_header(data).ends()):
        assert len(decode_vq(data[:end]).levels) == count


def test_codings_of_networks_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="4 bits a number: 16 or 8"):
        encode_vq(replace(EXAMPLE, network_bits=4))
    for place in (10, 11):
        data = bytearray(GOLDEN)
        data[place] = 2
        with pytest.raises(CollectionError, match="not known here"):
            decode_vq(resealed(data))


def test_entropy_coding_is_left_where_it_does_not_pay():
    item = scene(skew=1.0, levels=1)
    assert encode_vq(item, entropy=True) == encode_vq(item)


@pytest.mark.parametrize("entropy", [False, True])
def test_every_truncation_names_the_level_or_gives_whole_levels(entropy):
    for item in (EXAMPLE, scene(2, 4, 3, skew=9.0)):
        data = encode_vq(item, entropy=entropy)
        ends = read_header(data).ends()
        for size in range(len(data)):
            whole = sum(size >= end for end in ends) - 1
            if size in ends:
                assert len(decode_vq(data[:size]).levels) == whole
                continue
            with pytest.raises(CollectionError) as caught:
                decode_vq(data[:size])
            assert "\n" not in str(caught.value)
            if whole < 0:
                assert "header" in str(caught.value) or "network" in str(caught.value)
                with pytest.raises(CollectionError):
                    decode_vq(data[:size], whole_levels=True)
            else:
                assert f"level {item.first + whole}" in str(caught.value)
                assert equal(decode_vq(data[:size], whole_levels=True), first_levels(item, whole))


def test_the_streams_under_attack_hold_coded_indices():
    assert len(HOSTILE[True]) < len(HOSTILE[False])


def test_every_flipped_byte_is_found():
    data = encode_vq(EXAMPLE)
    for place in range(len(data)):
        for change in (1, 128, 255):
            damaged = bytearray(data)
            damaged[place] ^= change
            whole = sum(place >= end for end in ENDS) - 1
            with pytest.raises(CollectionError) as caught:
                decode_vq(bytes(damaged))
            if whole >= 0:
                assert f"level {1 + whole}" in str(caught.value)
                assert equal(decode_vq(bytes(damaged), whole_levels=True), first_levels(EXAMPLE, whole))
            else:
                with pytest.raises(CollectionError):
                    decode_vq(bytes(damaged), whole_levels=True)


def resealed(data: bytes) -> bytes:
    """With checksums that fit, as someone writes who means harm; unchanged where the sizes lead outside the file."""
    data = bytearray(data)
    _, _, _, count, features, config, coding, _, network = START.unpack_from(data)
    size = START.size + count * ENTRY.size + config + 8
    taken = 2 * network if coding == 0 else network_bytes(network, 8)
    start = size + taken
    if size > len(data):
        return bytes(data)
    for level in range(count):
        at = START.size + level * ENTRY.size
        bits, _, _, _, _, topology, indices, *_ = ENTRY.unpack_from(data, at)
        for number, length in enumerate((topology, 2 * features << min(bits, 20), indices)):
            struct.pack_into("<I", data, at + 20 + 4 * number, google_crc32c.value(bytes(data[start : start + length])))
            start += length
    struct.pack_into("<I", data, size - 8, google_crc32c.value(bytes(data[size : size + taken])))
    struct.pack_into("<I", data, size - 4, google_crc32c.value(bytes(data[: size - 4])))
    return bytes(data)


HOSTILE = {
    entropy: encode_vq(replace(scene(2, 3, 2, skew=9.0, count=60), network_bits=8 if entropy else 16), entropy=entropy)
    for entropy in (False, True)
}


@settings(max_examples=400, deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_bytes_with_fitting_checksums_are_an_object_or_an_error(entropy, changes):
    data = bytearray(HOSTILE[entropy])
    for place, value in changes:
        data[place % len(data)] = value
    for whole_levels in (False, True):
        try:
            item = decode_vq(resealed(bytes(data)), whole_levels=whole_levels)
        except CollectionError as error:
            assert "\n" not in str(error)
            continue
        for level in item.levels:
            assert bool((level.indices >= 0).all()) and bool((level.indices < len(level.codebook)).all())
            assert bool(level.codebook.isfinite().all()) and len(level.codebook) == 1 << level.bits


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_an_error(data):
    for start in (b"", b"MFVQ\x01"):
        with pytest.raises(CollectionError):
            decode_vq(start + data)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"PNG!", "does not start with MFVQ"),
        (4, b"\x02", "a stream of version 2"),
        (7, b"\0", "has no features"),
        (16, b"\x0d", "level 1: indices of 13 bits"),
        (17, b"\x09", "coding 9: not known here"),
        (20, b"\x63", "topology of level 1: 99 voxels; a level has at most 8"),
        (24, b"\xff", "level 1: 255 corners in 2 bytes, for 3 voxels"),
        (80, b"[1]           ", "not JSON"),
        (80, b'"aaaaaaaaaaaa"', "not JSON|not a JSON object"),
        (103, b"\x00\x7c", "the network: numbers that are not finite"),
        (115, b"\x00\xfc", "codebook of level 1: numbers that are not finite"),
        (124, b"\xd1", "indices of level 1: bits are set after the last index"),
    ],
)
def test_hostile_streams_say_what_is_wrong(place, value, message):
    data = bytearray(GOLDEN)
    data[place : place + len(value)] = value
    with pytest.raises(CollectionError, match=message):
        decode_vq(resealed(bytes(data)) if place != 4 else bytes(data))


def test_bytes_after_the_end():
    with pytest.raises(CollectionError, match="3 bytes after the last level"):
        decode_vq(GOLDEN + b"abc")
    assert equal(decode_vq(GOLDEN + b"abc", whole_levels=True), EXAMPLE)


def test_objects_that_do_not_fit_are_refused():
    level = EXAMPLE.levels[0]

    def encode(**changes):
        return encode_vq(VqObject(1, (VqLevel(**{**vars(level), **changes}),), EXAMPLE.network))

    with pytest.raises(ValueError, match="level 1: 3 entries of a codebook"):
        encode(codebook=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="level 1: 25 corners of 3 voxels"):
        encode(indices=torch.zeros(25, dtype=torch.int64))
    with pytest.raises(ValueError, match="do not fit 1 bits"):
        encode(indices=torch.full((5,), 2))
    with pytest.raises(CollectionError, match="codebook of level 1: NaN"):
        encode(codebook=torch.full((2, 2), float("nan")))
    with pytest.raises(ValueError, match="codebooks of \\[2, 3\\] features"):
        encode_vq(VqObject(1, (level, VqLevel(level.voxels, level.indices, torch.zeros(2, 3))), EXAMPLE.network))
