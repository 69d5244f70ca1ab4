import numpy as np
import pytest
import torch

from manyfields.compression import RawCodec
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.codebooks.layers import VqMicroLayers
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.families.fused_planes.stored_texels import texels_of_hull
from manyfields.fields import Codes

SHAPES = {"weights": (4,), "bias": (1,), "hull": (8, 8, 8), "micro": (3, 12, 12, 10)}
LAYERS = (("weights", "bias"), ("hull",), ("micro",))


def some_codes(count=4, seed=0, loud=1.0):
    generator = torch.Generator().manual_seed(seed)
    hull = torch.zeros(count, 8, 8, 8, dtype=torch.uint8)
    hull[:, 2:5, 3:7, 1:3] = 1
    hull[0] = 1
    mix = torch.randn(3, 10, generator=torch.Generator().manual_seed(9))
    micro = loud * torch.randn(count, 3, 12, 12, 3, generator=generator) @ mix
    weights = torch.randn(count, 4, generator=generator)
    return Codes({"weights": weights, "bias": torch.ones(count, 1), "hull": hull, "micro": micro})


CODES = some_codes(8)
CODEC = VqMicroLayers.of_codes(CODES, LAYERS, SHAPES, (6,), groups=2)


def error_of(codec, codes):
    decoded = codec.decode(codec.layers_of(codes)).tensors["micro"]
    masks = torch.stack([texels_of_hull(hull, 12) for hull in codes.tensors["hull"]])
    before, after = codes.tensors["micro"][masks], decoded[masks]
    return float((before - after).square().mean() / before.square().mean())


def test_all_but_micro_planes_are_as_the_plain_codec_has_them():
    encoded, plain = CODEC.layers_of(CODES), RawCodec(LAYERS, SHAPES).encode(CODES)
    assert [layers[:2] for layers in encoded] == [layers[:2] for layers in plain]
    decoded, expected = CODEC.decode(encoded).tensors, RawCodec(LAYERS, SHAPES).decode(plain).tensors
    assert set(decoded) == set(expected)
    for name in ("weights", "bias", "hull"):
        assert torch.equal(decoded[name], expected[name])
    assert decoded["micro"].shape == expected["micro"].shape


def test_objects_that_it_was_not_learned_from():
    assert error_of(CODEC, some_codes(3, seed=5)) < 0.1
    # Gains: the same objects, ten times as loud, fit as well.
    assert error_of(CODEC, some_codes(3, seed=5, loud=10.0)) < 0.1


def test_more_bits_and_stages_lower_the_error():
    unseen = some_codes(3, seed=5)
    errors = [
        error_of(VqMicroLayers.of_codes(CODES, LAYERS, SHAPES, bits), unseen) for bits in ((2,), (4,), (8,), (8, 6))
    ]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.5 * errors[1]


def test_bytes_are_gains_and_indices_of_texels_that_count():
    sizes = [len(layers[2]) for layers in CODEC.layers_of(CODES)]
    masks = [int(texels_of_hull(hull, 12).sum()) for hull in CODES.tensors["hull"]]
    assert masks[0] == 3 * 12 * 12 and masks[1] < 0.5 * masks[0]
    for size, count in zip(sizes, masks, strict=True):
        assert size <= 2 + 2 * 6 * count / 8 * 1.05 + 8
    absent = ~torch.stack([texels_of_hull(hull, 12) for hull in CODES.tensors["hull"]])
    assert CODEC.decode(CODEC.layers_of(CODES)).tensors["micro"][absent].eq(0).all()


def test_what_is_decoded_encodes_to_the_same_bytes_with_the_same_gains():
    gains = CODEC.gains(CODES)
    encoded = CODEC.layers_of(CODES, gains)
    assert encoded == CODEC.layers_of(CODES)
    assert CODEC.layers_of(CODEC.decode(encoded), gains) == encoded


def test_what_an_entry_costs_is_what_its_bytes_are():
    codes = some_codes(1, seed=5)
    mask = texels_of_hull(codes.tensors["hull"][0], 12)
    indices = CODEC.codebooks.indices(codes.tensors["micro"][0][mask] / CODEC.gains(codes))
    costs = CODEC.costs(indices, mask)
    bits = sum(float(cost.gather(1, column[:, None]).sum()) for cost, column in zip(costs, indices.T, strict=True))
    size = len(CODEC.layers_of(codes)[0][2])
    assert 2 + bits / 8 - 1 <= size <= 2 + 1.02 * bits / 8 + 8


def test_tables_of_what_is_stored():
    unseen = some_codes(6, seed=5)
    again = CODEC.with_tables_of(unseen, CODEC.gains(unseen))
    assert again.codebooks == CODEC.codebooks
    sizes = [sum(len(layers[2]) for layers in codec.layers_of(unseen)) for codec in (CODEC, again)]
    assert sizes[1] < sizes[0]
    before, after = (codec.decode(codec.layers_of(unseen)).tensors["micro"] for codec in (CODEC, again))
    assert torch.equal(before, after)


def test_texels_of_a_hull_are_those_that_points_in_it_read():
    """Against the gradient of the features of many points: a texel that is read gets some."""
    generator = torch.Generator().manual_seed(0)
    for side in (8, 12, 5):
        hull = (torch.rand(8, 8, 8, generator=generator) > 0.97).to(torch.uint8)
        cells = hull.nonzero().float()
        points = (cells[:, None] + torch.rand(len(cells), 3000, 3, generator=generator)) / 8 * 2 - 1
        planes = torch.zeros(1, 3, side, side, 1, requires_grad=True)
        plane_features(planes, points.view(1, -1, 3)).sum().backward()
        read = planes.grad[0, ..., 0] > 0
        found = texels_of_hull(hull, side)
        assert bool((found | ~read).all())  # never one too few
        assert int(found.sum()) <= int(read.sum()) + (0 if side == 12 else 3 * side)


def test_layers_that_are_not_there_decode_to_zeros():
    encoded = CODEC.layers_of(CODES)
    decoded = CODEC.decode([encoded[0][:1], encoded[1][:2], encoded[2]]).tensors
    assert not decoded["micro"][:2].any() and decoded["micro"][2].any()


def test_a_family_with_nothing_but_micro_planes():
    codes = Codes({"micro": CODES.tensors["micro"]})
    codec = VqMicroLayers.of_codes(codes, (("micro",),), {"micro": (3, 12, 12, 10)}, (6,))
    decoded = codec.decode(codec.layers_of(codes)).tensors["micro"]
    assert decoded.shape == codes.tensors["micro"].shape and float(decoded.abs().sum((1, 2, 3, 4)).min()) > 0


def test_the_codec_itself_is_stored_and_read_back():
    tensors, config = CODEC.tensors(), CODEC.file_config()
    again = VqMicroLayers.from_tensors(LAYERS, SHAPES, tensors, config)
    assert again.layers_of(CODES) == CODEC.layers_of(CODES)
    assert CODEC.shared_bytes() == sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    other = tensors["frequencies"].numpy().copy()
    other[0] += 1
    for damaged, changed in (
        ({"codebooks": tensors["codebooks"]}, config),
        ({**tensors, "codebooks": tensors["codebooks"][:-1]}, config),
        ({**tensors, "frequencies": tensors["frequencies"][:-1]}, config),
        ({**tensors, "frequencies": torch.from_numpy(other)}, config),
        ({**tensors, "classes": tensors["classes"][:-1]}, config),
        ({**tensors, "classes": tensors["classes"] + 200}, config),
        (tensors, {**config, "classes": 0}),
        (tensors, {**config, "classes": "16"}),
        (tensors, {**config, "bits": 6}),
        (tensors, {**config, "groups": 3}),
        (tensors, {}),
    ):
        with pytest.raises(CollectionError):
            VqMicroLayers.from_tensors(LAYERS, SHAPES, damaged, changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:1], "1 bytes, too few for its gain"),
        (lambda data: data[:-1], "words of an entropy coder"),
        (lambda data: data[:-8], "layer of micro planes"),
        (lambda data: data + b"\1\0\0\0", "layer of micro planes"),
        (lambda data: np.full(1, np.inf, "<f2").tobytes() + data[2:], "not finite"),
    ],
)
def test_damaged_layers_are_errors(change, message):
    layers = CODEC.layers_of(CODES)[1]
    with pytest.raises(CollectionError, match=message) as caught:
        CODEC.decode([[*layers[:2], change(layers[2])]])
    assert "\n" not in str(caught.value)


def test_stages_of_different_sizes_come_back():
    codec = VqMicroLayers.of_codes(CODES, LAYERS, SHAPES, (1, 3))
    again = VqMicroLayers.from_tensors(LAYERS, SHAPES, codec.tensors(), codec.file_config())
    encoded = codec.layers_of(CODES)
    assert again.layers_of(CODES) == encoded and len({len(each) for each in again.tables.frequencies}) == 1
    assert torch.equal(again.decode(encoded).tensors["micro"], codec.decode(encoded).tensors["micro"])


def test_numbers_of_layers_and_nan():
    with pytest.raises(CollectionError, match="0 layers, its family 3"):
        CODEC.decode([[]])
    broken = some_codes(2)
    broken.tensors["micro"][1, 0, 0, 0, 0] = float("nan")
    with pytest.raises(CollectionError, match="NaN in micro"):
        CODEC.layers_of(broken, torch.ones(2))
    with pytest.raises(ValueError, match="last layer"):
        VqMicroLayers(LAYERS[:2], SHAPES, CODEC.codebooks, CODEC.tables)
