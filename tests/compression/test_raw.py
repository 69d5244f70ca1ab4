import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression import RawCodec
from manyfields.compression.hull import encode_hull, usual_bytes
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.fields import Codes

LAYERS = (("weights", "bias"), ("micro",))
SHAPES = {"weights": (2,), "bias": (1,), "micro": (2, 3)}
CODEC = RawCodec(LAYERS, SHAPES)


def random_codes(count=3, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return Codes({name: scale * torch.randn(count, *shape, generator=generator) for name, shape in SHAPES.items()})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 1000), st.sampled_from([1e-6, 1.0, 300.0]))
def test_decoding_gives_the_codes_rounded_to_16_bits(count, seed, scale):
    codes = random_codes(count, seed, scale)
    decoded = CODEC.decode(CODEC.encode(codes))
    for name, tensor in codes.tensors.items():
        assert decoded.tensors[name].dtype == torch.float32
        assert torch.equal(decoded.tensors[name], tensor.half().float())
    again = CODEC.encode(decoded)
    assert again == CODEC.encode(codes)  # a second round changes nothing


def test_bytes_are_little_endian_halves_in_the_order_of_the_layers():
    codes = Codes(
        {
            "micro": torch.tensor([[[1.0, 2, 3], [4, 5, 6]]]),
            "bias": torch.tensor([[-2.0]]),
            "weights": torch.tensor([[1.0, 0.5]]),
        }
    )
    macro, micro = CODEC.encode(codes)[0]
    assert macro.hex() == "003c003800c0"
    assert micro.hex() == "003c00400042004400450046"


def test_sizes_of_layers_are_two_bytes_a_number():
    assert CODEC.layer_bytes() == [6, 12] == [len(layer) for layer in CODEC.encode(random_codes(1))[0]]
    config = FusedPlanesConfig()
    assert RawCodec(config.layers, config.code_shapes()).layer_bytes() == [102, 245_760]


def test_layers_that_are_not_there_decode_to_zeros():
    codes = random_codes()
    encoded = CODEC.encode(codes)
    decoded = CODEC.decode([encoded[0][:1], encoded[1], encoded[2][:1]])
    assert decoded.tensors["micro"][[0, 2]].eq(0).all()
    assert torch.equal(decoded.tensors["micro"][1], codes.tensors["micro"][1].half().float())
    assert torch.equal(decoded.tensors["weights"], codes.tensors["weights"].half().float())


def test_values_beyond_16_bits_are_clamped():
    codes = random_codes(1)
    codes.tensors["weights"][0] = torch.tensor([1e9, -float("inf")])
    decoded = CODEC.decode(CODEC.encode(codes))
    assert decoded.tensors["weights"][0].tolist() == [65504.0, -65504.0]


def test_codes_with_gradients_encode():
    codes = random_codes(1)
    codes.tensors["micro"].requires_grad_()
    assert CODEC.encode(codes) == CODEC.encode(random_codes(1))


def test_nan_is_an_error_that_names_the_layer():
    codes = random_codes()
    codes.tensors["micro"][1, 0, 0] = float("nan")
    with pytest.raises(CollectionError, match="NaN in micro"):
        CODEC.encode(codes)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "0 layers, its family 2"),
        ([b"\0" * 6, b"\0" * 12, b""], "3 layers, its family 2"),
        ([b"\0" * 5], "layer 0 has 5 bytes, its family's has 6"),
        ([b"\0" * 6, b"\0" * 14], "layer 1 has 14 bytes, its family's has 12"),
        ([np.array([1, np.inf, 0], "<f2").tobytes()], "layer 0 holds numbers that are not finite"),
        ([b"\0" * 6, np.full(6, np.nan, "<f2").tobytes()], "layer 1 holds numbers that are not finite"),
    ],
)
def test_bytes_that_do_not_fit_are_errors(layers, message):
    with pytest.raises(CollectionError, match=message):
        CODEC.decode([layers])


HULL_CODEC = RawCodec((("weights", "bias"), ("hull",), ("micro",)), {**SHAPES, "hull": (5, 5, 5)})


def codes_with_hulls(count=3):
    hull = (torch.rand(count, 5, 5, 5, generator=torch.Generator().manual_seed(1)) > 0.6).to(torch.uint8)
    return Codes({**random_codes(count).tensors, "hull": hull})


def test_hulls_come_back_cell_by_cell_between_the_numbers():
    codes = codes_with_hulls()
    encoded = HULL_CODEC.encode(codes)
    assert [layers[1] for layers in encoded] == [encode_hull(hull) for hull in codes.tensors["hull"].numpy()]
    # What surrounds the hull is what a codec without hulls writes.
    assert [[layers[0], layers[2]] for layers in encoded] == CODEC.encode(random_codes())
    decoded = HULL_CODEC.decode(encoded)
    assert set(decoded.tensors) == set(codes.tensors)
    assert decoded.tensors["hull"].dtype == torch.uint8
    assert torch.equal(decoded.tensors["hull"], codes.tensors["hull"])
    for name in ("weights", "bias", "micro"):
        assert torch.equal(decoded.tensors[name], codes.tensors[name].half().float())


def test_a_hull_that_is_not_there_is_full():
    codes = codes_with_hulls()
    encoded = HULL_CODEC.encode(codes)
    decoded = HULL_CODEC.decode([encoded[0][:1], encoded[1][:2], encoded[2]]).tensors
    assert decoded["hull"].dtype == torch.uint8 and bool((decoded["hull"][0] == 1).all())
    assert torch.equal(decoded["hull"][1:], codes.tensors["hull"][1:])
    assert not decoded["micro"][:2].any() and decoded["micro"][2].any()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encode_hull(np.ones((6, 6, 6), np.uint8)), "layer of the hull does not hold 16 bytes of cells"),
        (encode_hull(np.ones((4, 4, 4), np.uint8)), "layer of the hull does not hold 16 bytes of cells"),
        (b"\1" * 16, "layer of the hull is damaged"),
    ],
)
def test_a_hull_of_another_size_is_an_error(data, message):
    first = HULL_CODEC.encode(codes_with_hulls(1))[0][0]
    with pytest.raises(CollectionError, match=message) as caught:
        HULL_CODEC.decode([[first, data]])
    assert "\n" not in str(caught.value)


def test_the_size_of_a_hull_layer_is_a_forecast():
    assert HULL_CODEC.layer_bytes() == [6, usual_bytes((5, 5, 5)), 12]
    config = FusedPlanesConfig(hull=64)
    assert RawCodec(config.layers, config.code_shapes()).layer_bytes() == [102, 2048, 245_760]
