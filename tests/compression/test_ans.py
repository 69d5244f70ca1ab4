"""An ANS coder whose tables change from symbol to symbol, held against constriction's own decoder."""

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.compression import ans, ans_loops
from manyfields.compression.frequencies import FrequencyTable
from manyfields.compression.latent_contexts import BEFORE_FROM, NEAR_FROM
from manyfields.errors import CollectionError

BITS = 16


class Guarded:
    """An array whose every index must lie in it: compiled loops would read and write beyond without a word."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index):
        found = self.array[self._checked(index)]
        return Guarded(found) if isinstance(found, np.ndarray) else found

    def __setitem__(self, index, value) -> None:
        self.array[self._checked(index)] = value

    def _checked(self, index):
        index = index if isinstance(index, tuple) else (index,)
        for place, size in zip(index, self.shape[: len(index)], strict=True):
            assert 0 <= int(place) < size, f"index {index} of an array of {self.shape}"
        return tuple(int(place) for place in index)


def some_frequencies(rows: int, symbols: int, sharpness: float, seed: int) -> np.ndarray:
    """Rows that sum to 2^16, at least 1; the last one has nearly all of it at one symbol."""
    draw = np.random.default_rng(seed)
    counts = np.round(draw.dirichlet(np.full(symbols, sharpness), rows) * 1e6).astype(np.int64) + 1
    frequencies = np.stack([FrequencyTable.of_counts(row, BITS).frequencies for row in counts])
    frequencies[-1] = 1
    frequencies[-1, draw.integers(symbols)] = (1 << BITS) - symbols + 1
    return frequencies


def arguments(classes: np.ndarray, frequencies: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the loop of latents, for symbols in the channels of one texel, each with a table of its own."""
    every_context = np.broadcast_to(classes[:, None, None], (len(classes), 5, 5)).copy()
    there, values = np.ones((1, 1, 1), bool), np.zeros((1, 2, 3, len(classes)), np.int64)
    return there, ans.cumulated(frequencies), every_context, NEAR_FROM, BEFORE_FROM, values


def decoded(data: bytes, classes: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    words, given_to = ans.Words(data, "the test"), arguments(classes, frequencies)
    words.decode("latents", *given_to)
    words.end()
    return given_to[-1][0, 1, 1] + (frequencies.shape[1] - 1) // 2


tables = st.builds(
    some_frequencies,
    rows=st.integers(1, 6),
    symbols=st.integers(2, 41),
    sharpness=st.sampled_from([0.01, 0.3, 5.0]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(0, 300), st.integers(0, 1000), st.booleans())
def test_symbols_come_back_and_constriction_reads_them_too(frequencies, count, seed, likely):
    draw = np.random.default_rng(seed)
    classes = draw.integers(len(frequencies), size=count)
    symbols = draw.integers(frequencies.shape[1], size=count)
    if likely:
        symbols = np.array([draw.choice(len(row), p=row / row.sum()) for row in frequencies[classes]], np.int64)
    data = ans.encode_rows(symbols, classes, frequencies)
    assert (decoded(data, classes, frequencies) == symbols).all()
    with plain_only():
        assert (decoded(data, classes, frequencies) == symbols).all()
    models = [FrequencyTable(row, BITS).model() for row in frequencies]
    coder = constriction.stream.stack.AnsCoder(np.frombuffer(data, "<u4").astype(np.uint32))
    assert [int(coder.decode(models[each])) for each in classes] == symbols.tolist()
    assert coder.is_empty()


def test_more_symbols_than_tables_are_laid_out_for_at_a_time(monkeypatch):
    frequencies = some_frequencies(3, 9, 0.3, 0)
    draw = np.random.default_rng(0)
    classes, symbols = draw.integers(3, size=1000), draw.integers(9, size=1000)
    whole = ans.encode_rows(symbols, classes, frequencies)
    monkeypatch.setattr(ans, "CHUNK", 70)
    assert ans.encode_rows(symbols, classes, frequencies) == whole


def test_nothing_is_no_bytes():
    none = np.zeros(0, np.int64)
    frequencies = some_frequencies(1, 3, 1.0, 0)
    assert ans.encode_rows(none, none, frequencies) == b""
    assert len(decoded(b"", none, frequencies)) == 0


def test_bytes_are_near_what_the_tables_say():
    frequencies = some_frequencies(4, 15, 0.3, 1)[:-1]
    draw = np.random.default_rng(2)
    classes = draw.integers(3, size=20_000)
    symbols = np.array([draw.choice(15, p=row / row.sum()) for row in frequencies[classes]])
    bits = (BITS - np.log2(frequencies[classes, symbols])).sum()
    size = len(ans.encode_rows(symbols, classes, frequencies))
    assert size > 2000 and abs(size / (bits / 8) - 1) < 0.002


def test_golden_bytes():
    frequencies = np.array([[1, 65534, 1], [30000, 30000, 5536]])
    symbols, classes = np.array([1, 2, 0, 1, 1, 2]), np.array([0, 1, 1, 0, 1, 0])
    assert ans.encode_rows(symbols, classes, frequencies).hex() == "0001ef3e"


@settings(max_examples=150, deadline=None)
@given(tables, st.lists(st.integers(0, 2**32 - 1), max_size=12), st.integers(0, 30), st.integers(0, 1000))
def test_no_index_leaves_its_array_whatever_the_words_are(frequencies, words, count, seed):
    """And compiled loops do the same as plain ones."""
    classes = np.random.default_rng(seed).integers(len(frequencies), size=count)
    stream = np.array(words, np.uint32)
    start = np.array([np.random.default_rng(seed).integers(2**64, dtype=np.uint64), len(words)], np.uint64)
    guarded, compiled = start.copy(), start.copy()
    plain_arguments, compiled_arguments = arguments(classes, frequencies), arguments(classes, frequencies)
    with np.errstate(over="raise"):
        ans_loops.latents(Guarded(stream), Guarded(guarded), *map(Guarded, plain_arguments))
    ans.compiled_loop("latents")(stream, compiled, *compiled_arguments)
    assert (guarded == compiled).all()
    assert (plain_arguments[-1] == compiled_arguments[-1]).all()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 3, 30000, 65533, 65535]),
    st.lists(st.integers(0, 2**32 - 1), max_size=12),
    st.integers(1, 5),
    st.integers(0, 1000),
)
def test_no_index_of_hulls_leaves_its_array(empty, words, side, seed):
    draw = np.random.default_rng(seed)
    zeros = np.where(draw.random(1 << 12) < 0.5, empty, (1 << BITS) - empty).astype(np.uint64) << np.uint64(8)
    stream, start = np.array(words, np.uint32), np.array([draw.integers(2**64, dtype=np.uint64), len(words)], np.uint64)
    guarded, compiled = start.copy(), start.copy()
    one, other = (np.zeros((side + 4,) * 3, np.int32) for _ in range(2))
    with np.errstate(over="raise"):
        ans_loops.hull(Guarded(stream), Guarded(guarded), Guarded(zeros), Guarded(one))
    ans.compiled_loop("hull")(stream, compiled, zeros, other)
    assert (guarded == compiled).all() and (one == other).all()
    assert not one[:2].any() and not one[-2:].any() and set(np.unique(one)) <= {0, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "the test: 15 coded bytes are not the words of an entropy coder"),
        (lambda data: data + bytes(4), "the test: 20 coded bytes are not the words"),
        (lambda data: data[4:], "the test: the coded bytes do not end where the symbols do"),
        (lambda data: data + b"\1\0\0\0", "the test: the coded bytes do not end where the symbols do"),
        (lambda data: data[:5] + bytes([data[5] ^ 4]) + data[6:], "the test: the coded bytes do not end where"),
    ],
)
def test_damaged_words_are_named(change, message):
    frequencies, classes = np.array([[20000, 30000, 15536]]), np.zeros(60, np.int64)
    data = ans.encode_rows(np.random.default_rng(1).integers(3, size=60), classes, frequencies)
    assert len(data) == 16
    with pytest.raises(CollectionError, match=message) as caught:
        decoded(change(data), classes, frequencies)
    assert "\n" not in str(caught.value)
