"""Fused planes of a set by transform coding: from bytes to planes and back."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import manyfields
from manyfields.compiled import plain_only
from manyfields.compression.latent_pyramid import latents_that_count
from manyfields.errors import CollectionError
from manyfields.families.fused_planes.latents.hulls import decode_hull
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers
from manyfields.families.fused_planes.stored_texels import texels_that_count
from manyfields.fields import Codes

FAMILIES = (
    (("weights", "bias"), ("hull",), ("micro",)),
    (("weights", "bias"), ("micro",)),
    (("hull",), ("micro",)),
    (("micro",),),
)


def as_stored(codec: TransformMicroLayers, latents, row: int, codes: Codes) -> torch.Tensor:
    """Planes of one object from its latents, without any bytes between."""
    texels = texels_that_count(codes)[row]
    return codec.pyramid([torch.from_numpy(own) for own in latents], texels.shape[-1]) * texels[..., None]


def test_what_is_decoded_is_what_was_stored(codec, codes, encoded):
    decoded = codec.decode(encoded).tensors
    assert {name: tensor.shape for name, tensor in decoded.items()} == {n: t.shape for n, t in codes.tensors.items()}
    assert torch.equal(decoded["hull"], codes.tensors["hull"].float()) and decoded["micro"].dtype == torch.float32
    _, steps = codec.weights
    flat = [torch.cat([own["weights"], own["bias"]], 1) for own in (decoded, codes.tensors)]
    assert bool(((flat[0] - flat[1]).abs() <= steps / 2 + 1e-6).all())
    for row in range(len(codes)):
        latents = codec.nearest(codes[row])
        assert torch.equal(decoded["micro"][row], as_stored(codec, latents, row, codes))
    texels = texels_that_count(codes)
    assert not decoded["micro"][~texels].any()
    error = (decoded["micro"] - codes.tensors["micro"])[texels]
    assert float(error.abs().max()) < 0.5  # half of 0.5 along every turned axis


def test_given_latents_are_those_that_are_stored(codec, codes):
    draw = np.random.default_rng(0)
    masks = latents_that_count(texels_that_count(codes)[1], 3)
    latents = [
        draw.integers(-codec.tables.reach, codec.tables.reach + 1, (*here.shape, 3)) * here.numpy()[..., None]
        for here in masks
    ]
    (layers,) = codec.layers_of(codes[1], [latents])
    assert torch.equal(codec.decode([layers]).tensors["micro"][0], as_stored(codec, latents, 1, codes))


def test_sizes(codec, encoded):
    for layers in encoded:
        assert len(layers) == 4 and len(layers[0]) == 7 and len(layers[2]) < len(layers[3])
        assert all(len(layer) % 4 == 0 for layer in layers[1:])
    sizes = [sum(map(len, layers)) for layers in encoded]
    assert max(sizes[1:]) < 0.5 * sizes[0]  # the first fills its box


def test_the_estimate_is_that_of_the_bytes(codec, codes, encoded):
    from manyfields.compression.latent_prices import LatentPrices

    prices = LatentPrices.of(codec.tables)
    bits, size = 0.0, 0
    for row, layers in enumerate(encoded):
        masks = [here.numpy() for here in latents_that_count(texels_that_count(codes)[row], 3)]
        levels = codec.nearest(codes[row])
        for own, here, classes in zip(levels, masks, prices.classes(levels, masks), strict=True):
            bits += prices.bits(torch.from_numpy(own[here]), classes)
        size += len(layers[2]) + len(layers[3])
    assert size > 1000 and abs(bits / 8 / (size - 4 * 2 * len(encoded)) - 1) < 0.02


@pytest.mark.parametrize("layers", FAMILIES, ids=lambda layers: "+".join(names[0] for names in layers))
def test_families_with_some_of_the_layers(layers, micros):
    codes = micros.codes(layers=layers)
    made = micros.codec(codes, layers)
    again = TransformMicroLayers.from_tensors(layers, micros.SHAPES, made.tensors(), made.file_config())
    encoded = made.layers_of(codes)
    assert all(len(each) == len(layers) + 1 for each in encoded) and again.layers_of(codes) == encoded
    decoded = again.decode(encoded)
    assert set(decoded.tensors) == set(codes.tensors)
    error = (decoded.tensors["micro"] - codes.tensors["micro"])[texels_that_count(codes)]
    assert float(error.abs().max()) < 0.5


def test_every_prefix_of_layers_is_an_object(codec, codes, encoded):
    whole = codec.decode(encoded).tensors
    first, second, third = (codec.decode([layers[:count] for layers in encoded]).tensors for count in (1, 2, 3))
    for part in (first, second, third):
        assert torch.equal(part["weights"], whole["weights"]) and torch.equal(part["bias"], whole["bias"])
    assert bool(first["hull"].eq(1).all()) and torch.equal(second["hull"], whole["hull"])
    assert not first["micro"].any() and not second["micro"].any()
    for row in range(len(codes)):
        coarse = codec.nearest(codes[row])[:-1]
        assert torch.equal(third["micro"][row], as_stored(codec, coarse, row, codes))
    errors = [(part["micro"] - whole["micro"]).square().mean() for part in (second, third)]
    assert 0 < errors[1] < 0.2 * errors[0]
    mixed = codec.decode([encoded[0][:1], encoded[1], encoded[2][:3]]).tensors["micro"]
    assert not mixed[0].any() and torch.equal(mixed[1], whole["micro"][1]) and torch.equal(mixed[2], third["micro"][2])


def test_what_was_decoded_encodes_to_the_same_bytes(codec, codes, encoded):
    latents = [codec.nearest(codes[row]) for row in range(len(codes))]
    assert codec.layers_of(codec.decode(encoded), latents) == encoded


def test_weights_as_their_bytes_hold_them(codec, codes, encoded):
    held = codec.with_stored_weights(codes[1])
    decoded = codec.decode([encoded[1]])
    assert torch.equal(held.tensors["weights"], decoded.tensors["weights"])
    assert torch.equal(held.tensors["micro"], codes[1].tensors["micro"])
    far = Codes({**codes[1].tensors, "weights": torch.full((1, 6), 1e4)})
    assert torch.equal(codec.with_stored_weights(far).tensors["weights"], far.tensors["weights"])


def test_latents_beyond_the_reach_are_cut(codec, codes):
    loud = Codes({**codes[1].tensors, "micro": 1000 * codes[1].tensors["micro"]})
    found = codec.nearest(loud)
    assert max(int(abs(own).max()) for own in found) == codec.tables.reach
    decoded = codec.decode(codec.layers_of(loud)).tensors["micro"]
    assert bool(decoded.isfinite().all()) and torch.equal(decoded[0], as_stored(codec, found, 0, loud))


def test_an_empty_hull_has_no_latents(codec, codes):
    empty = Codes({**codes[1].tensors, "hull": torch.zeros(1, 8, 8, 8, dtype=torch.uint8)})
    encoded = codec.layers_of(empty)
    assert encoded[0][2:] == [b"", b""]
    assert not codec.decode(encoded).tensors["micro"].any()


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
def test_another_process_with_more_threads_makes_the_same_bytes_and_planes(plain, codec, codes, encoded, tmp_path):
    latents = [[torch.from_numpy(own) for own in codec.nearest(codes[row])] for row in range(len(codes))]
    stored = (codec.tensors(), codec.file_config(), dict(codes.tensors), latents, list(codec.layers), codec.shapes)
    torch.save(stored, tmp_path / "set.pt")
    program = (
        "import hashlib, sys, torch; torch.set_num_threads(2)\n"
        "from manyfields.families.fused_planes.latents.layers import TransformMicroLayers\n"
        "from manyfields.fields import Codes\n"
        "tensors, config, codes, latents, layers, shapes = torch.load(sys.argv[1], weights_only=True)\n"
        "codec = TransformMicroLayers.from_tensors(layers, shapes, tensors, config)\n"
        "data = codec.layers_of(Codes(codes), [[own.numpy() for own in levels] for levels in latents])\n"
        "print(hashlib.sha256(repr(data).encode()).hexdigest())\n"
        "planes = codec.decode(data).tensors['micro'].numpy()\n"
        "print(hashlib.sha256(planes.tobytes()).hexdigest())\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "set.pt")],
        check=True,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(manyfields.__file__).parents[1]),
            "OMP_NUM_THREADS": "2",
            "MANYFIELDS_COMPILED": "0" if plain else "1",
        },
    )
    planes = codec.decode(encoded).tensors["micro"].numpy()
    expected = [hashlib.sha256(data).hexdigest() for data in (repr(encoded).encode(), planes.tobytes())]
    assert made.stdout.split() == expected


def test_plain_and_compiled_decoding_are_the_same(codec, encoded):
    compiled = codec.decode(encoded).tensors
    with plain_only():
        plain = codec.decode(encoded).tensors
    assert all(torch.equal(compiled[name], plain[name]) for name in compiled)


def test_the_codec_is_stored_and_read_back(micros, codec, codes, encoded):
    tensors, config = codec.tensors(), codec.file_config()
    assert config == {"levels": 3}
    kinds = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
    rows = len(codec.tables.frequencies)
    assert kinds == {
        "classes": (torch.uint8, (3, 3, 5, 5)),
        "frequencies": (torch.uint16, (rows, 81)),
        "hulls": (torch.uint16, (4096,)),
        "pyramid": (torch.int16, (3 * 9 + 2 * 81,)),
        "weights": (torch.float16, (2, 7)),
    }
    again = TransformMicroLayers.from_tensors(micros.LAYERS, micros.SHAPES, tensors, config)
    assert again.layers_of(codes) == encoded
    assert all(torch.equal(own, tensors[name]) for name, own in again.tensors().items())


def test_bytes_stay_what_they_are(codec, codes):
    """Of whole numbers alone: what a newer version decodes otherwise, it must name otherwise."""
    draw = np.random.default_rng(0)
    masks = latents_that_count(texels_that_count(codes)[1], 3)
    latents = [draw.integers(-3, 4, (*here.shape, 3)) * here.numpy()[..., None] for here in masks]
    rows = np.array([1, 10, 200, 5000, 50_325, 8000, 1500, 400, 100])
    assert rows.sum() == 1 << 16
    tables = type(codec.tables)(np.arange(3 * 3 * 25).reshape(3, 3, 5, 5) % 2, np.stack([rows, rows[::-1]]))
    empty = np.where(np.arange(4096) & 1, 200, 65000)
    fixed = TransformMicroLayers(
        codec.layers,
        codec.shapes,
        codec.pyramid,
        tables,
        empty,
        torch.stack([torch.zeros(7), torch.full((7,), 0.25)]),
    )
    weights = {"weights": torch.tensor([[-40.0, -1.0, 0.25, 0.5, 3.0, 40.0]]), "bias": torch.tensor([[1.0]])}
    (layers,) = fixed.layers_of(Codes({**codes[1].tensors, **weights}), [latents])
    usual, beyond = "80fc01020c7f04", "00000000000020c20500000000002042"  # -40 and 40, which format 1.2 holds
    assert layers[0].hex() == usual + beyond
    read = [fixed.decode([[bytes.fromhex(own)]]).tensors["weights"][0].tolist() for own in (usual, usual + beyond)]
    assert read == [[-32.0, -1.0, 0.25, 0.5, 3.0, 31.75], [-40.0, -1.0, 0.25, 0.5, 3.0, 40.0]]
    assert (decode_hull(layers[1], 8, empty) == codes.tensors["hull"][1].numpy()).all()
    found = [(len(layer), hashlib.sha256(layer).hexdigest()[:12]) for layer in layers[1:]]
    assert found == [(32, "b3ee275479a3"), (268, "982e56149c9c"), (396, "b3bfa2f0af87")]


def strayed(codes: Codes, far: float = 3.0) -> Codes:
    """The same objects with weights that no other object comes near to."""
    weights = codes.tensors["weights"].clone()
    weights[:, 2] += far
    weights[:, 5] -= 2 * far
    return Codes({**codes.tensors, "weights": weights})


@pytest.mark.parametrize("learned_from", [1, 2, 4])
def test_a_new_object_has_its_own_weights_however_few_the_codec_has_seen(micros, learned_from):
    codec = micros.codec(micros.codes(learned_from))
    new = strayed(micros.codes(2, seed=7), 40.0)
    decoded = codec.decode(codec.layers_of(new)).tensors
    for name in ("weights", "bias"):
        wanted = new.tensors[name]
        assert float((decoded[name] - wanted).abs().max()) < 0.05 * float(wanted.square().mean().sqrt())


def test_steps_are_never_fine_beside_the_size_of_weights(micros):
    """All objects alike, or one alone: their deviation says nothing of how far another one strays."""
    codec = micros.codec(micros.codes(1))
    size = float(torch.cat([micros.codes(1).tensors[name] for name in ("weights", "bias")], 1).square().mean().sqrt())
    assert float(codec.weights[1].min()) > 0.99 * size / 64
    near = Codes({**micros.codes(1).tensors, "weights": micros.codes(1).tensors["weights"] + 1.5 * size})
    assert not codec.has_escapes(codec.layers_of(near)[0])


def test_weights_beyond_the_reach_of_their_steps_are_stored_as_they_are(codec, codes):
    far = strayed(codes, 1000.0)
    layers = codec.layers_of(far)
    assert all(len(own[0]) == 7 + 2 * 8 and codec.has_escapes(own) for own in layers)
    decoded = codec.decode(layers).tensors
    assert torch.equal(decoded["weights"][:, [2, 5]], far.tensors["weights"][:, [2, 5]])
    held = codec.with_stored_weights(far[1])
    assert torch.equal(held.tensors["weights"][0], decoded["weights"][1])
    again = codec.layers_of(Codes({**far.tensors, "weights": decoded["weights"], "bias": decoded["bias"]}))
    assert [own[0] for own in again] == [own[0] for own in layers]
    assert not any(codec.has_escapes(own) for own in codec.layers_of(codes))


def test_damaged_escapes_are_refused(codec, codes):
    (layers, *_) = codec.layers_of(strayed(codes, 1000.0))
    weights = layers[0]
    first, second = weights[7:15], weights[15:]
    for damaged in (
        weights[:-1],
        weights[:7] + second + first,
        weights[:7] + first + first,
        weights[:7] + (7).to_bytes(4, "little") + first[4:],
        weights[:7] + first[:4] + np.float32(np.nan).tobytes(),
    ):
        with pytest.raises(CollectionError, match="the layer of weights has"):
            codec.decode([[damaged, *layers[1:]]])
