"""Entropy coding of symbols by static integer tables, one table for each context (docs/reference/vq_stream.md).

    | 1 byte: bits of the tables | table of context 0 | table of context 1 | ... | words of the coder |

Symbols are coded context after context, in order of position within each, by one ANS coder; so a context costs its
table and nothing else, and a decoder that knows the contexts puts the symbols back in place.
"""

from collections.abc import Iterator, Sequence

import constriction
import numpy as np
from jaxtyping import Int

from manyfields.compression.frequencies import FINEST, FrequencyTable
from manyfields.errors import CollectionError

COARSEST = 6


def encode_symbols(
    symbols: Int[np.ndarray, " m"], alphabet: int, contexts: Int[np.ndarray, " m"] | None = None, kinds: int = 1
) -> bytes:
    """Symbols 0 .. alphabet - 1, with the tables that suit them best. `contexts` are numbers 0 .. kinds - 1.

    Raises ValueError for symbols or contexts outside these.
    """
    tables = best_tables(symbol_counts(symbols, alphabet, contexts, kinds))
    return tables_to_bytes(tables) + encode_with(tables, symbols, contexts)


def estimated_bytes(
    symbols: Int[np.ndarray, " m"], alphabet: int, contexts: Int[np.ndarray, " m"] | None = None, kinds: int = 1
) -> float:
    """What `encode_symbols` takes, without coding: within 1 % of a thousand bytes or more."""
    counts = symbol_counts(symbols, alphabet, contexts, kinds)
    tables = best_tables(counts)
    bits = sum(table.cost(row) for table, row in zip(tables, counts, strict=True))
    return len(tables_to_bytes(tables)) + bits / 8 + 2  # half a word on average is left empty


def decode_symbols(
    data: bytes,
    count: int,
    alphabet: int,
    contexts: Int[np.ndarray, " m"] | None = None,
    kinds: int = 1,
    what: str = "indices",
) -> Int[np.ndarray, " m"]:
    """`count` symbols (int64) from the bytes of `encode_symbols`. Raises CollectionError, naming `what`."""
    tables, position = read_tables(data, alphabet, kinds, what)
    return decode_with(tables, data[position:], count, contexts, what)


def encode_with(
    tables: Sequence[FrequencyTable], symbols: Int[np.ndarray, " m"], contexts: Int[np.ndarray, " m"] | None = None
) -> bytes:
    """The coder's words alone, for tables that are kept elsewhere. ValueError where a table lacks a symbol."""
    coder = constriction.stream.stack.AnsCoder()
    for table, rows in reversed(list(_runs(tables, len(symbols), contexts))):
        present = table.present
        positions = np.full(len(table.frequencies), -1, np.int32)
        positions[present] = np.arange(len(present))
        coded = positions[symbols[rows]]
        if (coded < 0).any():
            raise ValueError("a symbol that the table of frequencies does not have")
        if len(present) > 1:
            coder.encode_reverse(coded, table.model())
    return coder.get_compressed().astype("<u4").tobytes()


def decode_with(
    tables: Sequence[FrequencyTable],
    data: bytes,
    count: int,
    contexts: Int[np.ndarray, " m"] | None = None,
    what: str = "indices",
) -> Int[np.ndarray, " m"]:
    """`count` symbols from the bytes of `encode_with`. Raises CollectionError where these are not all of the bytes."""
    if len(data) % 4 or data[-4:] == b"\0\0\0\0":
        raise CollectionError(f"{what}: {len(data)} coded bytes are not the words of an entropy coder")
    coder = constriction.stream.stack.AnsCoder(np.frombuffer(data, "<u4").astype(np.uint32))
    symbols = np.empty(count, np.int64)
    for table, rows in _runs(tables, count, contexts):
        present = table.present
        if not len(present):
            raise CollectionError(f"{what}: a table of frequencies that is needed is empty")
        size = count if isinstance(rows, slice) else len(rows)
        symbols[rows] = present[coder.decode(table.model(), size)] if len(present) > 1 else present[0]
    if not coder.is_empty():
        raise CollectionError(f"{what}: the coded bytes do not end where the symbols do")
    return symbols


def _runs(
    tables: Sequence[FrequencyTable], count: int, contexts: Int[np.ndarray, " m"] | None
) -> Iterator[tuple[FrequencyTable, slice | Int[np.ndarray, " n"]]]:
    """Each table that is needed with the positions of its symbols."""
    if contexts is None:
        if count:
            yield tables[0], slice(None)
        return
    order = np.argsort(contexts, kind="stable")
    ends = np.cumsum(np.bincount(contexts, minlength=len(tables)))
    for table, rows in zip(tables, np.split(order, ends[:-1]), strict=True):
        if len(rows):
            yield table, rows


def symbol_counts(
    symbols: Int[np.ndarray, " m"], alphabet: int, contexts: Int[np.ndarray, " m"] | None = None, kinds: int = 1
) -> Int[np.ndarray, "C K"]:
    """How often each symbol occurs in each context. Raises ValueError for symbols or contexts outside of these."""
    if len(symbols) and not 0 <= int(symbols.min()) <= int(symbols.max()) < alphabet:
        raise ValueError(f"symbols from {symbols.min()} to {symbols.max()}: from 0 to {alphabet - 1}")
    if contexts is None:
        contexts = np.zeros(len(symbols), np.int64)
    elif len(contexts) and not 0 <= int(contexts.min()) <= int(contexts.max()) < kinds:
        raise ValueError(f"contexts from {contexts.min()} to {contexts.max()}: from 0 to {kinds - 1}")
    joined = contexts.astype(np.int64) * alphabet + symbols
    return np.bincount(joined, minlength=kinds * alphabet).reshape(kinds, alphabet)


def best_tables(counts: Int[np.ndarray, "C K"], likely: Int[np.ndarray, "C K"] | None = None) -> list[FrequencyTable]:
    """Tables as fine as pays: every bit more makes them longer and the coded symbols shorter.

    They are made of the `counts` that they code, or of those that a model of the symbols finds `likely`, which must
    be above 0 for all that occur.
    """
    likely = counts if likely is None else likely
    least = max(COARSEST, int((likely > 0).sum(1).max() - 1).bit_length())
    tried = []
    for bits in range(least, max(least, 16) + 1):
        tables = [FrequencyTable.of_counts(row, bits) for row in likely]
        cost = sum(table.cost(row) for table, row in zip(tables, counts, strict=True))
        tried.append((len(tables_to_bytes(tables)) + cost / 8, bits, tables))
    return min(tried, key=lambda entry: entry[:2])[2]


def tables_to_bytes(tables: Sequence[FrequencyTable]) -> bytes:
    return bytes([tables[0].bits]) + b"".join(table.to_bytes() for table in tables)


def read_tables(data: bytes, alphabet: int, kinds: int, what: str) -> tuple[list[FrequencyTable], int]:
    """The `kinds` tables at the start of `data`, and the byte after them. Raises CollectionError, naming `what`."""
    if not data or not COARSEST <= data[0] <= FINEST:
        raise CollectionError(f"{what}: no table of frequencies of {COARSEST} to {FINEST} bits")
    tables, position = [], 1
    for _ in range(kinds):
        table, position = FrequencyTable.read(data, position, alphabet, data[0], what)
        tables.append(table)
    return tables, position
