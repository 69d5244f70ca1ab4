import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compression.context_classes import BITS
from manyfields.compression.context_tables import ABSENT, MOST_BYTES, MOST_CLASSES, ContextTables
from manyfields.errors import CollectionError


def smooth(seed, width=8, books=2, side=12):
    """Planes of indices in which a texel mostly has what the one above has, and some texels have none."""
    generator = np.random.default_rng(seed)
    planes = generator.integers(0, width, (books, 3, side, side))
    for row in range(1, side):
        same = generator.random((books, 3, side)) < 0.8
        planes[:, :, row] = np.where(same, planes[:, :, row - 1], planes[:, :, row])
    planes[:, generator.random((3, side, side)) < 0.2] = ABSENT
    return planes


TABLES = ContextTables.learn([smooth(seed) for seed in range(20)], [8, 8])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 7))
def test_round_trip(seed, side, width):
    planes = smooth(seed, width=width, side=side)
    data = TABLES.encode(planes)
    assert (TABLES.decode(data, planes[0] != ABSENT, "it") == planes).all()


def test_nothing_is_no_bytes():
    planes = np.full((2, 3, 4, 4), ABSENT)
    assert TABLES.encode(planes) == b""
    assert (TABLES.decode(b"", planes[0] != ABSENT, "it") == ABSENT).all()


def test_what_stands_above_saves_bytes():
    unseen = smooth(99)
    count = int((unseen != ABSENT).sum())
    above = np.full_like(unseen, ABSENT)
    above[:, :, 1:] = unseen[:, :, :-1]
    here = unseen != ABSENT
    told = sum(
        float(TABLES.bits(n, above[n][here[n]])[np.arange(int(here[n].sum())), unseen[n][here[n]]].sum())
        for n in range(2)
    )
    coded = 8 * len(TABLES.encode(unseen))
    assert told - 1 <= coded <= told * 1.02 + 40  # as the tables promise
    assert coded < 0.75 * 3 * count  # of 3 bits each


def test_tables_are_few_and_have_a_place_for_everything():
    for widths in ([8, 8], [64] * 5, [256], [4096, 4096]):
        few = np.zeros((len(widths), 1, 3, 3), np.int64)
        tables = ContextTables.learn([few], widths)
        assert all((rows >= 1).all() and (rows.sum(1) == 1 << BITS).all() for rows in tables.frequencies)
        assert all(len(own) == width + 1 for own, width in zip(tables.classes, widths, strict=True))
        count = len(tables.frequencies[0])
        assert 1 <= count <= MOST_CLASSES and all(own.max() < count for own in tables.classes)
        assert count == 1 or sum(2 * rows.size for rows in tables.frequencies) <= MOST_BYTES
        most = np.stack([np.full((1, 3, 3), width - 1) for width in widths])
        assert (tables.decode(tables.encode(most), most[0] != ABSENT, "it") == most).all()


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"\0" * 4, lambda data: data + b"\1" * 4]
)
def test_other_bytes_are_errors(change):
    planes = smooth(3)
    with pytest.raises(CollectionError, match="it: .* coded bytes"):
        TABLES.decode(change(TABLES.encode(planes)), planes[0] != ABSENT, "it")
