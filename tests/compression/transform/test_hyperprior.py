"""Hyperpriors: the same classes on every machine, and their bytes."""

import sys
from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.transform.decoder import SELU_ALPHA, SELU_SCALE, UNITS, TransformDecoder
from manyfields.compression.transform.hyperprior import CLASSES, DEEPEST, HYPER_PARTS, CodedHyper, selu_of_units
from manyfields.compression.transform.latents import kept_latents
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.transform.scene import latent_sizes
from manyfields.families.tensor_planes.transform.stream import HEADER, PARTS, decode_coded, encode_coded, part_sizes


def sizes(scenes):
    return latent_sizes(scenes.RESOLUTION)


def test_no_number_of_selu_is_near_a_tie():
    """So that exponentials that differ in their last bits are rounded to the same whole numbers: by decimals."""
    found = selu_of_units(-torch.arange(DEEPEST * int(UNITS) + 1).double())
    with localcontext() as context:
        context.prec = 30
        factor = Decimal(SELU_SCALE) * Decimal(SELU_ALPHA) * Decimal(UNITS)
        exact = [factor * ((-Decimal(step) / Decimal(UNITS)).exp() - 1) for step in range(0, len(found), 7)]
    away = [abs(Decimal(int(own)) - each) for own, each in zip(found[::7].tolist(), exact, strict=True)]
    assert max(away) < Decimal("0.4999999")
    # All of them, by the floats that the decimals agree with.
    floats = SELU_SCALE * SELU_ALPHA * UNITS * np.expm1(-np.arange(len(found)) / UNITS)
    assert np.abs(np.abs(floats - np.floor(floats)) - 0.5).min() > 1e-6
    assert max(abs(float(each) - own) for each, own in zip(exact, floats[::7], strict=True)) < 1e-9


def test_selu_of_units_is_selu():
    values = torch.arange(-60_000, 60_000, 11).double()
    torch.testing.assert_close(selu_of_units(values) / UNITS, functional.selu(values / UNITS), atol=0.6 / UNITS, rtol=0)
    assert torch.equal(selu_of_units(values), selu_of_units(values).round())


def test_classes_are_what_the_decoder_learned(scenes):
    draw = scenes.generator(3)
    decoder = TransformDecoder(4, 6, 5, 12, draw)
    with torch.no_grad():
        decoder.second_bias.fill_(7.0)
    latents = torch.randint(-3, 4, (4, 3, 4), generator=draw)
    coded = CodedHyper(decoder.whole(), (torch.ones(3, 4, dtype=torch.bool),), (latents,), scenes.tables(4))
    (classes,) = coded.classes([(9, 13)])
    learned = decoder(latents.float(), (9, 13)).detach()
    assert classes.dtype == torch.int64 and classes.shape == (5, 9, 13)
    assert int(classes.max()) < CLASSES and int(classes.min()) >= 0 and len(classes.unique()) > 4
    within = (learned > 0) & (learned < CLASSES - 1)
    assert float((classes - learned)[within].abs().max()) < 0.52


def test_classes_are_the_same_on_any_number_of_threads(scenes):
    coded, before = scenes.hyper(latent=30, channels=20, hidden=24), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(coded.classes(sizes(scenes)))
    finally:
        torch.set_num_threads(before)
    for one, two, three in zip(*found, strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


def test_scenes_with_a_hyperprior_come_back(scenes):
    scene = scenes.scene_with_hyperprior()
    data = encode_coded(scene)
    assert data[4] == 2 and data[7] == 1
    again = decode_coded(data, scenes.CONFIG)
    assert encode_coded(again) == data
    assert list(part_sizes(data)) == ["header", *PARTS, *HYPER_PARTS] and sum(part_sizes(data).values()) == len(data)
    for one, two in zip(again.latents + again.hyper.latents, scene.latents + scene.hyper.latents, strict=True):
        assert torch.equal(one, two)
    plain = decode_coded(encode_coded(scenes.scene()), scenes.CONFIG)
    for one, two in zip(again.grids().tensors, plain.grids().tensors, strict=True):
        assert torch.equal(one, two)


def test_latents_take_what_the_tables_of_their_classes_say(scenes):
    scene = scenes.scene_with_hyperprior(latent=40)
    draw = scenes.generator(9)
    frequencies = torch.stack([torch.randperm(7, generator=draw) for _ in range(CLASSES)]) + 1
    frequencies[:, 0] += 64 - frequencies.sum(1)
    scene = replace(scene, tables=replace(scene.tables, frequencies=frequencies))
    classes = kept_latents(scene.hyper.classes(sizes(scenes)), scene.masks)
    symbols = kept_latents(scene.latents, scene.masks) + 3
    bits = -(frequencies.double() / 64)[classes, symbols].log2().sum()
    size = part_sizes(encode_coded(scene))["latents"]
    assert size > 300 and abs(float(bits) / 8 - size) <= 6


@pytest.mark.parametrize("part", HYPER_PARTS)
def test_damage_is_found_and_named(part, scenes):
    data = encode_coded(scenes.scene_with_hyperprior())
    start = sum(part_sizes(data)[name] for name in ["header", *PARTS, *HYPER_PARTS[: HYPER_PARTS.index(part)]])
    altered = data[:start] + bytes([data[start] ^ 1]) + data[start + 1 :]
    with pytest.raises(CollectionError, match=f"^{part}: damaged, its CRC32C is another"):
        decode_coded(altered, scenes.CONFIG)
    with pytest.raises(CollectionError, match=f"^{part}: cut short, 1 of"):
        decode_coded(data[: start + 1], scenes.CONFIG)
    with pytest.raises(CollectionError, match="the header: cut short, 170 of 192"):
        decode_coded(data[:170], scenes.CONFIG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyper decoder": b"\2"}, "^hyper decoder: cut short"),
        ({"hyper decoder": b"\0\0\3\0"}, "^hyper decoder: 0 hyper-latents and 3 hidden"),
        ({"hyper decoder": b"\2\0\3\0" + bytes(50)}, "^hyper decoder: a scale that is not above 0"),
        ({"hyper tables": b""}, "^hyper tables: cut short"),
        ({"hyper tables": b"\0\0\0\0"}, "^hyper tables: latents from 0 on, 0 of them"),
        ({"hyper masks": b"\0"}, "^the mask of hyper-latents: cut short"),
        ({"hyper latents": b"\1"}, "^hyper latents: 1 coded bytes"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message, scenes):
    hyper = scenes.hyper()
    with pytest.raises(CollectionError, match=message):
        CodedHyper.of_parts({**hyper.parts(), **changes}, sizes(scenes), 3, 8)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_altered_parts_do_no_harm(data):
    """What a stranger wrote is refused, or a hyperprior whose classes there are."""
    scenes = sys.modules["manyfields_test_scenes"]
    parts = scenes.hyper().parts()
    name = data.draw(st.sampled_from(HYPER_PARTS))
    part = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 4))):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = CodedHyper.of_parts({**parts, name: bytes(part)}, sizes(scenes), 3, 8)
    except CollectionError as error:
        assert "\n" not in str(error)
    else:
        classes = found.classes(sizes(scenes))
        assert all(0 <= int(own.min()) <= int(own.max()) < CLASSES for own in classes)


def test_the_header_is_as_long_as_its_parts(scenes):
    assert part_sizes(encode_coded(scenes.scene()))["header"] == HEADER == 160
    assert part_sizes(encode_coded(scenes.scene_with_hyperprior()))["header"] == HEADER + 32
