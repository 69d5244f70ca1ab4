"""Codes shards alone: packing, and headers and offsets that lie."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.collection.shards import encode_shard, payload_order, read_layout
from manyfields.errors import CollectionError


@given(st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4), min_size=1, max_size=5))
def test_packing_against_plain_loops(objects):
    data, ranges = encode_shard(objects)
    assert [[data[begin:end] for begin, end in own] for own in ranges] == objects
    segments = [layers[0] for layers in objects] + [layer for layers in objects for layer in layers[1:]]
    layout = read_layout(io.BytesIO(data), len(data), "codes")
    assert layout.objects == len(objects)
    assert [data[b:e] for b, e in zip(layout.bounds[:-1], layout.bounds[1:], strict=True)] == segments
    assert layout.bounds[-1] == len(data) and layout.bounds[0] % 8 == 0
    flat = [layer for layers in objects for layer in layers]
    assert [flat[position] for position in payload_order(np.array([len(own) for own in objects]))] == segments


def codes_file(header, payload=b"", length=None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + payload


def codes_header(offsets: int, payload: int, objects: str = "3", **changes) -> dict:
    return {
        "__metadata__": {"format": "manyfields-codes", "objects": objects},
        "offsets": {"dtype": "I64", "shape": [offsets // 8], "data_offsets": [0, offsets]},
        "payload": {"dtype": "U8", "shape": [payload], "data_offsets": [offsets, offsets + payload]},
        **changes,
    }


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little", signed=True) for value in values)


LIES = {
    "header longer than the file": (codes_file(b"{}", length=2**63), "header claims"),
    "header of all ones": (b"\xff" * 64, "header claims"),
    "header above the limit": (codes_file(b" " * 5000 + b"{}"), "above the limit"),
    "seven bytes": (b"\0" * 7, "header claims"),
    "no JSON": (codes_file(b"\x80\x80\x80\x80"), "not valid JSON"),
    "deep JSON": (codes_file(b"[" * 4000), "not valid JSON"),
    "a list": (codes_file(b"[]"), "not a JSON object"),
    "metadata of numbers": (codes_file({"__metadata__": {"objects": 3}}), "not strings"),
    "a tensor twice": (codes_file(b'{"a":1,"a":2}'), "occurs twice"),
    "no tensors": (codes_file({"__metadata__": {"format": "manyfields-codes", "objects": "3"}}), "other tensors"),
    "unknown dtype": (codes_file({"a": {"dtype": "X", "shape": [0], "data_offsets": [0, 0]}}), "unknown way"),
    "no range": (codes_file({"a": {"dtype": "U8", "shape": [0]}}), "unknown way"),
    "shape of 2^60": (codes_file({"a": {"dtype": "U8", "shape": [2**60], "data_offsets": [0, 1]}}, b"x"), "contradict"),
    "negative shape": (codes_file({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, -1]}}), "contradict"),
    "bytes after the end": (codes_file(codes_header(16, 1), words(0, 1) + b"xyz"), "its tensors end"),
    "tensor past the end": (codes_file(codes_header(16, 100), words(0, 1) + b"x"), "its tensors end"),
    "overlap": (
        codes_file(codes_header(16, 1, a={"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}), words(0, 1) + b"x"),
        "overlap",
    ),
    "offsets fall": (codes_file(codes_header(32, 9), words(0, 5, 2, 9) + b"x" * 9), "do not rise"),
    "offsets wrap": (codes_file(codes_header(32, 9), words(0, 2**63 - 1, -(2**63), 9) + b"x" * 9), "do not rise"),
    "offsets past the payload": (codes_file(codes_header(16, 1), words(0, 2**62) + b"x"), "do not span"),
    "offsets start late": (codes_file(codes_header(16, 1), words(1, 1) + b"x"), "do not span"),
    "no offsets": (codes_file(codes_header(0, 1), b"x"), "do not span"),
    "count no number": (codes_file(codes_header(16, 1, objects="9" * 99), words(0, 1) + b"x"), "not a codes shard"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_codes_shards_that_lie(lie):
    data, message = LIES[lie]
    with pytest.raises(CollectionError, match=message) as caught:
        read_layout(io.BytesIO(data), len(data), "codes")
    assert str(caught.value).startswith("codes: ")
