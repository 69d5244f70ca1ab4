import numpy as np
import pytest
import torch

from manyfields.compression.bits import packed_bytes
from manyfields.errors import CollectionError
from manyfields.families.octree.codes import QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.stream.codec import START, OctreeCodec
from manyfields.families.octree.stream.sizes import size_table_of
from manyfields.families.octree.tree import Octree

# The worked example of docs/reference/format.md: the cells 0 and 7 of 2^3, and in the last of them the finer cell 63.
TINY = OctreeConfig(first=1, last=2, features=2, hidden=4)
TREE = Octree.of_voxels([torch.tensor([0, 7]), torch.tensor([63])], 1)
EXAMPLE = QuantisedOctreeCodes(
    (TREE,),
    (
        (
            QuantisedLevel(torch.arange(15) % 2, torch.tensor([[0.0, 1.0], [-2.0, 0.5]])),
            QuantisedLevel(torch.tensor([3, 0, 2, 1, 1, 2, 0, 3]), torch.arange(8).view(4, 2) / 4),
        ),
    ),
)
GOLDEN = [
    bytes.fromhex("00010000 02000000 0f000000 06000000  000100000081  0000003c00c00038  5554"),
    bytes.fromhex("00020000 01000000 08000000 07000000  00020000000080  00000034 0038003a 003c003d 003e003f  c963"),
]


def same_trees(ours, theirs) -> bool:
    pairs = zip(ours.trees, theirs.trees, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one.voxels, other.voxels, strict=True))


def test_golden_bytes():
    codec = OctreeCodec(TINY, entropy=False)
    assert codec.encode(EXAMPLE) == [GOLDEN]
    again = codec.decode([GOLDEN])
    assert same_trees(again, EXAMPLE) and torch.equal(again.features, EXAMPLE.features)


@pytest.mark.parametrize("entropy", [False, True])
def test_quantised_objects_come_back(octrees, entropy):
    codes = octrees.quantised_codes(octrees.ball(0), octrees.ball(1))
    codec = OctreeCodec(octrees.CONFIG, entropy=entropy)
    layers = codec.encode(codes)
    again = codec.decode(layers)
    assert isinstance(again, QuantisedOctreeCodes) and same_trees(again, codes)
    for ours, theirs in zip(again.levels, codes.levels, strict=True):
        assert all(torch.equal(a.indices, b.indices) for a, b in zip(ours, theirs, strict=True))
        assert all(torch.equal(a.codebook, b.codebook) for a, b in zip(ours, theirs, strict=True))
    assert codec.encode(again) == layers and codec.encode(codes[1]) == layers[1:]


def test_features_come_back_as_float16(octrees):
    codes = octrees.plain_codes(octrees.ball(0), octrees.ball(1))
    codec = OctreeCodec(octrees.CONFIG)
    layers = codec.encode(codes)
    again = codec.decode(layers)
    assert same_trees(again, codes) and torch.equal(again.features, codes.features)
    sizes = codec.sizes(layers[0])
    assert [each.indices for each in sizes] == [2 * 3 * count for count in codes.trees[0].corner_counts]


def test_entropy_coding_saves_where_indices_are_uneven(octrees):
    codes = octrees.quantised_codes(octrees.ball(points=600), bits=3)
    coded, packed = (OctreeCodec(octrees.CONFIG, entropy=entropy).encode(codes)[0] for entropy in (True, False))
    assert sum(map(len, coded)) < sum(map(len, packed))


@pytest.mark.parametrize("kind", ["plain_codes", "quantised_codes"])
@pytest.mark.parametrize("count", [1, 2])
def test_the_first_layers_are_the_first_levels(octrees, kind, count):
    """Absent levels have no voxels; fields are those of the whole object with so many levels present."""
    codes = getattr(octrees, kind)(octrees.ball())
    codec, family = OctreeCodec(octrees.CONFIG), octrees.new_shared().family
    layers = codec.encode(codes)[0][:count]
    coarse = codec.decode([layers])
    assert coarse.trees[0].levels == octrees.CONFIG.levels
    assert [len(voxels) > 0 for voxels in coarse.trees[0].voxels] == [level < count for level in range(3)]
    assert codec.encode(coarse) == [layers]
    points = torch.rand(1, 200, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    ours, whole = family.field(coarse)(points), family.field(codes, count)(points)
    assert torch.equal(ours.density, whole.density) and torch.equal(ours.channels, whole.channels)
    assert float(ours.density.max()) > 0


def test_objects_may_have_any_number_of_layers_and_any_coding(octrees):
    codec = OctreeCodec(octrees.CONFIG)
    plain = codec.encode(octrees.plain_codes(octrees.ball()))[0]
    few = codec.encode(octrees.quantised_codes(octrees.ball(1)))[0][:2]
    both = codec.decode([plain, few])
    assert both.trees[1].corner_counts[2] == 0
    separate = [codec.decode([layers]).features for layers in (plain, few)]
    assert torch.equal(both.features, torch.cat(separate))


@pytest.mark.parametrize("kind", ["plain_codes", "quantised_codes"])
def test_every_truncation_names_the_level(octrees, kind):
    codec = OctreeCodec(octrees.CONFIG)
    layers = codec.encode(getattr(octrees, kind)(octrees.ball(points=8)))[0]
    for row, layer in enumerate(layers):
        for size in range(len(layer)):
            with pytest.raises(CollectionError, match=f"level {2 + row}") as caught:
                codec.decode([[*layers[:row], layer[:size]]])
            assert "\n" not in str(caught.value)


def test_no_altered_byte_is_a_crash(octrees):
    """CRC32C guards layers in a collection; whatever passes that is refused, or is another object."""
    codec = OctreeCodec(octrees.CONFIG)
    layers = codec.encode(octrees.quantised_codes(octrees.ball(points=8)))[0]
    for row, layer in enumerate(layers):
        for place in range(len(layer)):
            for change in (1, 128, 255):
                damaged = bytearray(layer)
                damaged[place] ^= change
                try:
                    codec.decode([[*layers[:row], bytes(damaged), *layers[row + 1 :]]])
                except CollectionError as error:
                    assert "level" in str(error)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ((3, 2, 0, 1, 8, 7), "coding 3: not known"),
        ((0, 0, 0, 1, 8, 7), "values of 0 bits"),
        ((0, 13, 0, 1, 8, 7), "values of 13 bits"),
        ((2, 1, 0, 1, 8, 7), "values of 1 bits"),
        ((0, 2, 1, 1, 8, 7), "not known here"),
        ((0, 2, 0, 1, 9, 7), "9 corners of 1 voxels"),
        ((0, 2, 0, 1, 4, 7), "do not hold 1 voxels and 4 corners"),
        ((0, 2, 0, 1, 7, 7), "its voxels have 8 corners, not 7"),
        ((0, 2, 0, 2, 8, 7), "its nodes have 1 children, not 2"),
    ],
)
def test_starts_that_contradict_the_layer_are_refused(start, message):
    layer = START.pack(*start) + GOLDEN[1][START.size :]
    with pytest.raises(CollectionError, match=message):
        OctreeCodec(TINY).decode([[GOLDEN[0], layer]])


def test_sizes_follow_the_formula_of_the_paper(octrees):
    codes = octrees.quantised_codes(octrees.ball(), bits=3)
    codec = OctreeCodec(octrees.CONFIG, entropy=False)
    layers = codec.encode(codes)[0]
    table = size_table_of(codec.sizes(layers), 200, codec.start)
    counts = codes.trees[0].corner_counts
    assert table.paper == 200 + sum(packed_bytes(count, 3) + 2 * 3 * 8 for count in counts)
    assert table.total == 200 + sum(map(len, layers)) == sum(size for _, size in table.rows())
    assert table.uncompressed == 200 + sum(2 * 3 * count for count in counts)
    assert [each.voxels for each in table.levels] == [len(voxels) for voxels in codes.trees[0].voxels]


def test_what_cannot_be_stored_is_named(octrees):
    tree = octrees.ball()
    codec = OctreeCodec(octrees.CONFIG)
    codes = octrees.plain_codes(tree)
    codes.features[-1] = torch.nan
    with pytest.raises(CollectionError, match="features of level 4: NaN"):
        codec.encode(codes)
    with pytest.raises(ValueError, match="indices of"):
        QuantisedOctreeCodes((tree,), octrees.quantised_codes(octrees.ball(7)).levels)
    with pytest.raises(CollectionError, match="has 4 layers, its family 3"):
        codec.decode([[b"x"] * 4])
    nothing = START.pack(2, 0, 0, 0, 0, 5) + np.zeros(5, np.uint8).tobytes()
    with pytest.raises(CollectionError, match="level 2: an octree needs at least one voxel"):
        codec.decode([[nothing]])
