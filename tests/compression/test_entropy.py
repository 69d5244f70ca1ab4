"""Frequencies and the coding by them, also against a decoder in whole numbers that follows reference/vq_stream.md."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.bits import packed_bytes
from manyfields.compression.entropy import decode_symbols, decode_with, encode_symbols, encode_with, estimated_bytes
from manyfields.compression.frequencies import CODER_BITS, FrequencyTable
from manyfields.errors import CollectionError


def decode_by_the_book(frequencies: list[int], bits: int, data: bytes, count: int) -> list[int]:
    """The recurrence of the specification, in Python's whole numbers: no constriction, no floats."""
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
    state = 0
    while words and state < 1 << 32:
        state = state << 32 | words.pop()
    symbols = []
    for _ in range(count):
        place = state % (1 << CODER_BITS)
        symbol, low = 0, 0
        while place >= low + (frequencies[symbol] << CODER_BITS - bits):
            low += frequencies[symbol] << CODER_BITS - bits
            symbol += 1
        symbols.append(symbol)
        state = (state >> CODER_BITS) * (frequencies[symbol] << CODER_BITS - bits) + place - low
        if state < 1 << 32 and words:
            state = state << 32 | words.pop()
    assert state == 0 and not words
    return symbols


def skewed(count: int, alphabet: int, seed: int = 0) -> np.ndarray:
    return np.minimum(np.random.default_rng(seed).geometric(0.15, count) - 1, alphabet - 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=70), st.integers(7, 20))
def test_frequencies_sum_to_a_power_of_two_and_keep_what_occurs(counts, bits):
    table = FrequencyTable.of_counts(np.array(counts), bits)
    assert np.array_equal(table.frequencies > 0, np.array(counts) > 0)
    assert table.frequencies.sum() == (1 << bits if any(counts) else 0)
    read, end = FrequencyTable.read(b"xy" + table.to_bytes() + b"z", 2, len(counts), bits, "a table")
    assert np.array_equal(read.frequencies, table.frequencies)
    assert end == 2 + len(table.to_bytes())


def test_as_many_symbols_as_frequencies():
    table = FrequencyTable.of_counts(np.array([1, 10**6] + [1] * 62), 6)
    assert table.frequencies.tolist() == [1] * 64
    with pytest.raises(ValueError, match="65 symbols"):
        FrequencyTable.of_counts(np.ones(65, np.int64), 6)


@pytest.mark.parametrize("alphabet", [2, 3, 64, 255, 4096])
@pytest.mark.parametrize("bits", [12, 16, 20])
def test_coding_is_that_of_the_specification(alphabet, bits):
    symbols = skewed(300, alphabet)
    table = FrequencyTable.of_counts(np.bincount(symbols, minlength=alphabet) + 1, bits)
    data = encode_with([table], symbols)
    assert decode_by_the_book(table.frequencies.tolist(), bits, data, 300) == symbols.tolist()


def test_golden_bytes():
    symbols = np.array([0, 2, 2, 1, 2, 0, 2, 2, 3, 2])
    data = encode_symbols(symbols, 4)
    # Frequencies of 7 bits; symbols 0 to 3 occur, 25, 13 and 77 times of 128, so the last 13; two words.
    assert data.hex() == "07" + "f0" + "180c4c" + "00002e41" + "26000000"
    assert decode_symbols(data, 10, 4).tolist() == symbols.tolist()
    assert decode_by_the_book([25, 13, 77, 13], 7, data[5:], 10) == symbols.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 5), st.data())
def test_symbols_come_back(alphabet, kinds, data):
    symbols = np.array(data.draw(st.lists(st.integers(0, alphabet - 1), max_size=60)), np.int64)
    contexts = np.array([data.draw(st.integers(0, kinds - 1)) for _ in symbols], np.int64)
    assert np.array_equal(decode_symbols(encode_symbols(symbols, alphabet), len(symbols), alphabet), symbols)
    coded = encode_symbols(symbols, alphabet, contexts, kinds)
    assert np.array_equal(decode_symbols(coded, len(symbols), alphabet, contexts, kinds), symbols)


@pytest.mark.parametrize("alphabet", [4, 64, 1024])
def test_the_estimate_is_within_one_percent(alphabet):
    for count in (3_000, 30_000):
        symbols = skewed(count, alphabet)
        contexts = np.arange(count) % 3
        assert estimated_bytes(symbols, alphabet) == pytest.approx(len(encode_symbols(symbols, alphabet)), rel=0.01)
        assert estimated_bytes(symbols, alphabet, contexts, 3) == pytest.approx(
            len(encode_symbols(symbols, alphabet, contexts, 3)), rel=0.01
        )


def test_bytes_come_near_the_entropy():
    symbols = skewed(50_000, 64)
    shares = np.bincount(symbols) / len(symbols)
    entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum() * len(symbols) / 8
    size = len(encode_symbols(symbols, 64))
    assert entropy < size < 1.005 * entropy + 100
    assert size < packed_bytes(len(symbols), 6)


def test_a_context_that_tells_something_pays():
    contexts = np.random.default_rng(0).integers(0, 8, 20_000)
    symbols = (contexts * 5 + skewed(20_000, 8)) % 64
    assert len(encode_symbols(symbols, 64, contexts, 8)) < 0.7 * len(encode_symbols(symbols, 64))


def test_one_symbol_takes_no_words():
    assert encode_symbols(np.full(10**5, 7), 64).hex() == "06" + "0100000000000000"
    assert decode_symbols(bytes.fromhex("060100000000000000"), 10**5, 64).tolist() == [7] * 10**5


CODED = encode_symbols(skewed(500, 16), 16)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no table"),
        (b"\x05" + CODED[1:], "no table of frequencies of 6 to 20 bits"),
        (CODED[:2], "table of frequencies is damaged"),
        (CODED[:8], "cut short"),
        (bytes([6]) + CODED[1:], "sum to more than 2\\^6"),
        (CODED[:-1], "words of an entropy coder"),
        (CODED[:-4], "do not end where the symbols do|words of an entropy coder"),
        (CODED + b"\0\0\0\0", "words of an entropy coder"),
        (CODED + b"\1\2\3\4", "do not end where the symbols do"),
        (b"\x06" + bytes(2), "table of frequencies that is needed is empty"),
    ],
)
def test_damaged_bytes_are_errors(data, message):
    with pytest.raises(CollectionError, match=message) as caught:
        decode_symbols(data, 500, 16, what="indices of level 6")
    assert str(caught.value).startswith("indices of level 6: ") and "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 50))
def test_any_bytes_are_symbols_or_an_error(data, count):
    try:
        symbols = decode_symbols(data, count, 12)
    except CollectionError:
        return
    assert len(symbols) == count and (symbols >= 0).all() and (symbols < 12).all()


def test_symbols_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="from 0 to 3"):
        encode_symbols(np.array([4]), 4)
    with pytest.raises(ValueError, match="contexts"):
        encode_symbols(np.array([3]), 4, np.array([2]), 2)
    with pytest.raises(ValueError, match="does not have"):
        encode_with([FrequencyTable.of_counts(np.array([1, 0, 1]), 8)], np.array([1]))
    with pytest.raises(CollectionError, match="words"):
        decode_with([FrequencyTable.of_counts(np.array([1, 1]), 8)], b"abc", 2)
