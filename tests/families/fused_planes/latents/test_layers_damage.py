"""Damaged layers and codec files of transform coding are refused, and what is wrong with them is said in one line."""

import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers


def changed(tensor: torch.Tensor, place: int, value: int) -> torch.Tensor:
    made = tensor.clone()
    made.view(-1).numpy()[place] = value
    return made


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("classes", lambda own: own[:-1], "tables are not those of its levels and features"),
        ("classes", lambda own: own.flatten(), "tables are not those of its levels and features"),
        ("classes", lambda own: changed(own, 7, 200), "do not sum to 2.16 for each class that it names"),
        ("classes", lambda own: -own.long(), "no tensor 'classes' of uint8"),
        ("classes", lambda own: torch.full(own.shape, float("nan")), "no tensor 'classes' of uint8"),
        ("frequencies", lambda own: own[:1], "do not sum to 2.16 for each class that it names"),
        ("frequencies", lambda own: own[:0], "do not sum to 2.16 for each class that it names"),
        ("frequencies", lambda own: own.flatten(), "tables are not those of its levels and features"),
        ("frequencies", lambda own: own[0, 0], "tables are not those of its levels and features"),
        ("frequencies", lambda own: own[:, :-1], "tables are of 80 latents: odd, from 3 to 255"),
        ("frequencies", lambda own: own[:, :1], "tables are of 1 latents: odd, from 3 to 255"),
        ("frequencies", lambda own: own.numpy().repeat(5, 1), "tables are of 405 latents: odd, from 3 to 255"),
        ("frequencies", lambda own: changed(own, 3, 60_000), "do not sum to 2.16 for each class that it names"),
        ("frequencies", lambda own: -own.long(), "no tensor 'frequencies' of uint16"),
        ("hulls", lambda own: own[:-1], "table of hulls is damaged"),
        ("hulls", lambda own: own[0], "table of hulls is damaged"),
        ("hulls", lambda own: changed(own, 9, 0), "table of hulls is damaged"),
        ("hulls", lambda own: own.long() << 20, "no tensor 'hulls' of uint16"),
        ("pyramid", lambda own: own[:-1], "numbers do not fit its config"),
        ("pyramid", lambda own: own[0], "numbers do not fit its config"),
        ("pyramid", lambda own: own.long() << 40, "no tensor 'pyramid' of int16"),
        ("weights", lambda own: own[:1], "numbers do not fit its config"),
        ("weights", lambda own: own[:, :-1], "numbers do not fit its config"),
        ("weights", lambda own: own * float("inf"), "steps of weights are not all above 0"),
        ("weights", lambda own: -own, "steps of weights are not all above 0"),
        ("weights", lambda own: 0 * own, "steps of weights are not all above 0"),
        ("weights", lambda own: own.to(torch.complex64), "no tensor 'weights' of float16"),
    ],
)
def test_damaged_tensors_are_refused(name, change, message, micros, codec, unchecked_shapes):
    made = change(codec.tensors()[name])
    tensors = {**codec.tensors(), name: torch.as_tensor(made)}
    with pytest.raises(CollectionError, match=message) as caught:
        TransformMicroLayers.from_tensors(micros.LAYERS, micros.SHAPES, tensors, codec.file_config())
    assert "\n" not in str(caught.value)
    del tensors[name]
    with pytest.raises(CollectionError, match=f"no tensor '{name}'"):
        TransformMicroLayers.from_tensors(micros.LAYERS, micros.SHAPES, tensors, codec.file_config())


@pytest.mark.parametrize(
    "levels", [-1, 0, 1, 2, 4, 7, 10**30, "3", None, [3], 3.5, float("inf"), float("nan")], ids=str
)
def test_a_config_that_lies_is_refused(levels, micros, codec):
    with pytest.raises(CollectionError) as caught:
        TransformMicroLayers.from_tensors(micros.LAYERS, micros.SHAPES, codec.tensors(), {"levels": levels})
    assert "\n" not in str(caught.value)
    with pytest.raises(CollectionError, match="levels None"):
        TransformMicroLayers.from_tensors(micros.LAYERS, micros.SHAPES, codec.tensors(), {})


def test_planes_that_are_too_small_for_the_levels_are_refused(micros, codec):
    small = {**micros.SHAPES, "micro": (3, 3, 3, 3)}
    with pytest.raises(CollectionError, match="3 levels of planes of 3 samples a side"):
        TransformMicroLayers.from_tensors(micros.LAYERS, small, codec.tensors(), codec.file_config())


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, lambda data: data[:-1], "the layer of weights has 6 bytes, its family's has 7"),
        (0, lambda data: data + b"x", "the layer of weights has 8 bytes"),
        (1, lambda data: data[:-4], "the layer of the hull: "),
        (2, lambda data: data[:-1], "the layer of coarse latents: "),
        (3, lambda data: data + b"\1\0\0\0", "the layer of fine latents: "),
        (3, lambda data: data[4:], "the layer of fine latents: "),
        (3, lambda data: bytes(len(data)), "the layer of fine latents: "),
    ],
)
def test_damaged_layers_are_named(number, change, message, codec, encoded):
    layers = list(encoded[2])
    layers[number] = change(layers[number])
    with pytest.raises(CollectionError, match=f"^{message}") as caught:
        codec.decode([encoded[0], layers])
    assert "\n" not in str(caught.value)


def test_numbers_of_layers(codec, encoded):
    with pytest.raises(CollectionError, match="an object has 0 layers, its codec 4"):
        codec.decode([[]])
    with pytest.raises(CollectionError, match="an object has 5 layers, its codec 4"):
        codec.decode([[*encoded[0], b""]])


@pytest.mark.parametrize("name", ["weights", "micro"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_has_diverged_is_not_stored(name, value, codec, micros):
    broken = micros.codes(2)
    broken.tensors[name].view(2, -1)[1, 0] = value
    with pytest.raises(CollectionError, match=f"NaN or infinity in {name}: its fit has diverged"):
        codec.layers_of(broken)


def test_what_does_not_fit_together(codec, micros):
    parts = (codec.pyramid, codec.tables, codec.empty, codec.weights)
    with pytest.raises(ValueError, match="last layer"):
        TransformMicroLayers(micros.LAYERS[:2], micros.SHAPES, *parts)
    with pytest.raises(ValueError, match="last layer"):
        TransformMicroLayers(micros.LAYERS, {**micros.SHAPES, "micro": (3, 14, 14, 4)}, *parts)
    with pytest.raises(ValueError, match="a middle and a step"):
        TransformMicroLayers(micros.LAYERS, {**micros.SHAPES, "weights": (5,)}, *parts)
