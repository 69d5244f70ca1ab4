"""Fuzzing of the decoder of transform coding: whatever the bytes are, they are refused or decode to finite planes.

4,000 altered objects and 400 altered codec files in every run, ten times as many among the slow tests. Bytes that
decode to something else are for the collection's CRC32C to find (tests/collection/test_verify.py).
"""

import resource
import sys

import numpy as np
import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.families.fused_planes.latents.layers import TransformMicroLayers

MEGABYTES = 64  # that may stay after all of them, allocators' own habits included


def memory() -> float:
    """The most that this process has held so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def altered(data: bytes, draw: np.random.Generator, others: list[bytes]) -> bytes:
    """One of the ways in which bytes get damaged, or are made up."""
    kind, size = draw.integers(9), len(data)
    start, end = sorted(draw.integers(0, size + 1, 2))
    if kind == 0:
        return data[:end]
    if kind == 1:
        return data[:start] + data[end:]
    if kind == 2:
        return data[:start] + data[start:end] * int(draw.integers(2, 4)) + data[end:]
    if kind == 3:
        return data + draw.bytes(4 * int(draw.integers(1, 5)))
    if kind == 4:
        return draw.bytes(int(draw.integers(0, 2 * size + 8)))
    if kind == 5:
        return others[draw.integers(len(others))]
    if kind == 6:
        return bytes([int(draw.choice([0, 255]))]) * size
    changed = np.frombuffer(data, np.uint8).copy()
    if size:
        for place in draw.integers(0, size, draw.integers(1, 5)):
            changed[place] = changed[place] ^ (1 << draw.integers(8)) if kind == 7 else draw.integers(256)
    return changed.tobytes()


def outcome(codec: TransformMicroLayers, layers: list[bytes]) -> str:
    """ "refused" or "decoded"; anything else is a failure, and a decoder that hangs meets the limit of every test."""
    try:
        tensors = codec.decode([layers]).tensors
    except CollectionError as error:
        found = "refused"
        assert "\n" not in str(error)
    else:
        found = "decoded"
        assert tensors["micro"].shape == (1, *codec.shapes["micro"])
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
        assert set(tensors["hull"].unique().tolist()) <= {0.0, 1.0}
    return found


def fuzz_layers(micros, count: int, seed: int) -> None:
    codes = micros.codes(6)
    codec = micros.codec(codes)
    encoded = codec.layers_of(codes)
    draw, found = np.random.default_rng(seed), {"refused": 0, "decoded": 0}
    outcome(codec, encoded[0])
    before = memory()
    for _ in range(count):
        layers = list(encoded[draw.integers(len(encoded))])
        for number in draw.choice(4, draw.integers(1, 3), replace=False):
            layers[number] = altered(layers[number], draw, [each[number] for each in encoded])
        if draw.random() < 0.1:
            draw.shuffle(layers)
        if draw.random() < 0.2:
            layers = layers[: draw.integers(0, 5)]
        found[outcome(codec, layers)] += 1
    assert found["refused"] > 0.4 * count and found["decoded"] > 0.02 * count, found
    assert memory() - before < MEGABYTES


def altered_tensors(tensors: dict[str, torch.Tensor], draw: np.random.Generator) -> dict[str, torch.Tensor]:
    """A codec's file with other numbers, most of them such as a reader cannot refuse."""
    name = str(draw.choice(list(tensors)))
    own = tensors[name].clone()
    flat = own.view(-1).numpy() if own.dtype != torch.float16 else own.view(-1).view(torch.int16).numpy()
    limits = np.iinfo(flat.dtype)
    kind = draw.integers(5)
    if kind == 0 and name == "frequencies" and own.ndim == 2:  # rows that sum as they should
        for row in own.numpy():
            left, right = draw.integers(len(row), size=2)
            moved = draw.integers(0, int(row[left]) + 1)
            if left != right:
                row[left] -= moved
                row[right] += moved
    elif kind == 1:
        flat[:] = draw.integers(limits.min, limits.max + 1, len(flat))
    elif kind == 2:
        flat[:] = draw.choice([limits.min, limits.max, 0, 1])
    elif kind == 3:
        own = own.view(-1)[: draw.integers(0, own.numel() + 1)]
    else:
        flat[draw.integers(len(flat), size=3)] = draw.integers(limits.min, limits.max + 1, 3)
    return {**tensors, name: own}


def fuzz_codecs(micros, count: int, seed: int) -> None:
    codes = micros.codes(3)
    codec = micros.codec(codes)
    encoded, tensors = codec.layers_of(codes), codec.tensors()
    draw, found = np.random.default_rng(seed), {"refused": 0, "decoded": 0}
    for _ in range(count):
        made = altered_tensors(tensors, draw)
        if draw.random() < 0.3:
            made = altered_tensors(made, draw)
        try:
            stranger = TransformMicroLayers.from_tensors(
                codec.layers, codec.shapes, made, {"levels": int(draw.choice([3, 3, 3, 3, 2, 4, 6, -1, 10**9]))}
            )
        except CollectionError as error:
            assert "\n" not in str(error)
            found["refused"] += 1
        else:
            for layers in encoded:
                outcome(stranger, layers)
            found["decoded"] += 1
    assert min(found.values()) > 0.1 * count, found


def test_altered_objects(micros):
    fuzz_layers(micros, 4000, seed=0)


def test_altered_codec_files(micros, unchecked_shapes):
    fuzz_codecs(micros, 400, seed=0)


@pytest.mark.slow
def test_many_altered_objects(micros):
    fuzz_layers(micros, 40_000, seed=1)


@pytest.mark.slow
def test_many_altered_codec_files(micros, unchecked_shapes):
    fuzz_codecs(micros, 4000, seed=1)
