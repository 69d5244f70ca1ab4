"""Octree objects in collections and as files of their own render the same, from every prefix of whole levels."""

from dataclasses import replace

import pytest
import torch

import manyfields
from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.collection.streams import read_stream, stream_of
from manyfields.compiled import plain_only
from manyfields.errors import CollectionError
from manyfields.families.octree.codes import QuantisedOctreeCodes
from manyfields.families.octree.stream.stream import VqObject, decode_vq, encode_vq, read_header

CAMERAS = orbit(2, width=10, height=8)


@pytest.fixture
def collection(tmp_path, octrees):
    codes = octrees.quantised_codes(octrees.ball(0), octrees.ball(1))
    octrees.write_collection(tmp_path / "c", codes, ("mug", "cup"))
    return open_collection(tmp_path / "c")


@pytest.mark.parametrize("level", [None, 1, 2, 3, 9])
@pytest.mark.parametrize("kind", ["plain_codes", "quantised_codes"])
def test_stored_objects_render_what_the_shared_part_renders(tmp_path, octrees, kind, level):
    codes = getattr(octrees, kind)(octrees.ball(0), octrees.ball(1))
    octrees.write_collection(tmp_path / "c", codes, ("mug", "cup"))
    seen = open_collection(tmp_path / "c")["cup"].render(CAMERAS, level=level)
    shared, bounds = octrees.new_shared(), torch.tensor(octrees.BOUNDS)[None]
    occupancy = shared.occupancy(codes[1], bounds, level)
    expected = shared.pictures(codes[1], CAMERAS[None], bounds, octrees.SAMPLER, level=level, guide=occupancy)
    torch.testing.assert_close(seen.images, expected.images.clamp(0, 1), rtol=1e-5, atol=1e-5)
    assert 0.01 < float(seen.opacity.mean()) < 0.9


def test_guides_lie_in_the_coarsest_voxels(octrees):
    shared, codes = octrees.new_shared(), octrees.plain_codes(octrees.ball())
    bounds = torch.tensor(octrees.BOUNDS)[None]
    guide = shared.guide(codes, bounds)
    assert guide.shape == (1, 16, 16, 16)
    assert torch.equal(guide[0] > 0, codes.trees[0].occupied(bounds[0], 16))


def test_the_collection_verifies(collection):
    assert collection.verify() == []
    assert [len(collection.entry(name).ranges) for name in collection] == [3, 3]


def test_objects_with_fewer_layers_render(tmp_path, octrees, collection):
    coarse = collection["mug"].code(2)
    again = octrees.write_collection(tmp_path / "few", coarse, ("mug",))
    assert len(again.entry("mug").ranges) == 2
    for level in (None, 2, 3):
        ours = again["mug"].render(CAMERAS, level=level).images
        assert torch.equal(ours, collection["mug"].render(CAMERAS, level=2).images)


def test_compiled_marches_walk_octrees_whose_fine_levels_are_absent(tmp_path, octrees):
    """Fields of 16 features are those that numba's kernels take, where it is at hand."""
    config = replace(octrees.CONFIG, features=16)
    whole = octrees.quantised_codes(octrees.ball(), features=16)
    collection = octrees.write_collection(tmp_path / "c", whole, ("mug",), config)
    for level in (1, 2):
        coarse, bounds = collection["mug"].code(level), torch.tensor(octrees.BOUNDS)[None]
        with torch.no_grad(), plain_only():
            plain = collection.shared_part.pictures(coarse, CAMERAS[None], bounds, octrees.SAMPLER)
        torch.testing.assert_close(
            collection["mug"].render(CAMERAS, level).images, plain.images.clamp(0, 1), atol=2e-3, rtol=0
        )


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_damaged_layer_is_named_and_coarser_levels_render(collection, layer):
    path = next(collection.path.glob("codes-*"))
    data = bytearray(path.read_bytes())
    begin, _ = collection.entry("cup").ranges[layer]
    data[begin + 20] ^= 1
    path.write_bytes(data)
    item = open_collection(collection.path)["cup"]
    with pytest.raises(CollectionError, match=f"object 'cup', layer {layer}"):
        item.render(CAMERAS)
    if layer:
        assert item.render(CAMERAS, level=layer).images.isfinite().all()


def test_layers_of_another_codec_are_refused_in_one_line(tmp_path, octrees, collection):
    from manyfields.collection import ObjectRecord

    collection.append([ObjectRecord("odd", [b"not a level of an octree"], bounds=octrees.BOUNDS)])
    with pytest.raises(CollectionError, match=r"object 'odd': level 2: values of 111 bits, coding 110"):
        collection["odd"].code()


def test_a_stream_renders_as_the_stored_object_does_from_every_prefix(collection, tmp_path):
    item = collection["mug"]
    data = stream_of(item, network_bits=16)
    path = tmp_path / "mug.vq"
    path.write_bytes(data)
    ends = read_header(data).ends()
    assert ends[-1] == len(data)
    for count, end in enumerate(ends[1:], 1):
        expected = item.render(CAMERAS, level=count).images
        assert torch.equal(read_stream(data[:end]).render(CAMERAS).images, expected)
        assert torch.equal(read_stream(path, end).render(CAMERAS).images, expected)
        after = ends[count + 1] - 1 if count + 1 < len(ends) else end + 100
        held = manyfields.read_stream(path, after)
        assert held.levels == count and held.id == "mug"
        assert torch.equal(held.render(CAMERAS).images, expected)
        assert torch.equal(read_stream(path).render(CAMERAS, level=count).images, expected)


def test_a_network_of_bytes_renders_nearly_the_same_in_fewer(collection):
    item = collection["mug"]
    small, whole = stream_of(item), stream_of(item, network_bits=16)
    numbers = read_header(small).network
    assert len(whole) - len(small) == numbers - 2 * -(-numbers // 64)
    seen, expected = (read_stream(data).render(CAMERAS).images for data in (small, whole))
    assert 0 < (seen - expected).abs().max() < 0.01


def test_the_first_levels_are_streamed(collection):
    data = stream_of(collection["mug"], 2, network_bits=16)
    assert len(decode_vq(data).levels) == 2
    assert torch.equal(read_stream(data).render(CAMERAS).images, collection["mug"].render(CAMERAS, level=2).images)


def test_every_truncation_is_an_error_or_whole_levels(collection):
    data = stream_of(collection["mug"])
    ends = read_header(data).ends()
    for size in set(range(0, len(data), 7)) - set(ends[1:]):
        with pytest.raises(CollectionError) as caught:
            read_stream(data[:size])
        assert str(caught.value).startswith("the stream: ") and "\n" not in str(caught.value)
        if size >= ends[1]:
            whole = sum(size >= end for end in ends) - 1
            assert f"level {2 + whole}" in str(caught.value)
            assert read_stream(data, size).levels == whole


def test_damage_is_never_taken_for_the_end(collection):
    """Also where only the first bytes are asked for: a level that they hold whole is not passed over."""
    data = bytearray(stream_of(collection["mug"]))
    ends = read_header(bytes(data)).ends()
    data[ends[1] + 9] ^= 4
    for size in (None, len(data)):
        with pytest.raises(CollectionError, match="level 3: damaged"):
            read_stream(bytes(data), size)
    assert read_stream(bytes(data), ends[1]).levels == 1


def test_too_few_bytes_are_refused(collection):
    data = stream_of(collection["mug"])
    ends = read_header(data).ends()
    with pytest.raises(CollectionError, match=f"its first {ends[1] - 1:,} bytes hold no whole level; .* {ends[1]:,}"):
        read_stream(data, ends[1] - 1)
    with pytest.raises(CollectionError, match="it ends before its first level"):
        read_stream(data[: ends[0]])
    with pytest.raises(CollectionError, match="the header is cut short"):
        read_stream(data, 30)
    with pytest.raises(CollectionError, match="ask for at least 1"):
        read_stream(data, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": None}, "its config has no 'family'"),
        ({"family": {"family": "grid"}}, "family 'grid' is not known here"),
        ({"family": {"family": "fused-planes", "channels": 3, "space": "rgb"}}, "another family than its bytes"),
        ({"sampler": {"guided": 0}}, "not one to render by"),
        ({"bounds": [0, 0, 0, 1, 1]}, "its bounds are not"),
        ({"bounds": [0, 0, 0, 1, 1, 0]}, "its bounds are not"),
        ({"bounds": [0, 0, 0, 1, 1, "x"]}, "its bounds are not"),
    ],
)
def test_configs_that_say_nothing_of_use_are_refused(collection, change, message):
    item = decode_vq(stream_of(collection["mug"]))
    data = encode_vq(VqObject(item.first, item.levels, item.network, {**item.config, **change}))
    with pytest.raises(CollectionError, match=message):
        read_stream(data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden": 9}, "its network has"),
        ({"first": 1}, "levels from 2 on, but its config has 1 to 4"),
        ({"last": 3}, "levels from 2 on, but its config has 2 to 3"),
    ],
)
def test_levels_that_do_not_fit_the_family_are_refused(collection, sizes, message):
    item = decode_vq(stream_of(collection["mug"]))
    config = {**item.config, "family": {**item.config["family"], **sizes}}
    with pytest.raises(CollectionError, match=message):
        read_stream(encode_vq(VqObject(item.first, item.levels, item.network, config)))


def test_only_quantised_octrees_stream(tmp_path, octrees, collection):
    plain = octrees.write_collection(tmp_path / "plain", octrees.plain_codes(octrees.ball()), ("mug",))
    with pytest.raises(CollectionError, match=r"object 'mug' has features without codebooks: fit with bits"):
        stream_of(plain["mug"])
    assert isinstance(collection["mug"].code(), QuantisedOctreeCodes)
