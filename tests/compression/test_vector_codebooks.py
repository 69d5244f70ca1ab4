import pytest
import torch

from manyfields.compression.vector_codebooks import Codebooks
from manyfields.errors import CollectionError

FEATURES = torch.randn(2000, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("bits", "groups"), [((4,), 1), ((4, 3), 1), ((3,), 2), ((3, 2, 2), 3)])
def test_bytes_and_indices_give_the_same_vectors(bits, groups):
    books = Codebooks.learn(FEATURES, bits, groups=groups)
    indices = books.indices(FEATURES)
    assert books.bits == list(bits) * groups and books.width == 6
    assert indices.shape == (2000, len(bits) * groups)
    data = books.to_bytes()
    assert len(data) == 2 * 6 * sum(1 << width for width in bits)
    again = Codebooks.from_bytes(data, 6, bits, groups)
    assert torch.equal(again.features(indices), books.features(indices))
    assert torch.equal(again.indices(FEATURES), indices)


def error_of(bits, groups=1):
    books = Codebooks.learn(FEATURES, bits, groups=groups)
    return float((books.features(books.indices(FEATURES)) - FEATURES).square().mean())


def test_stages_and_groups_lower_the_error():
    assert error_of((4, 4)) < 0.8 * error_of((4,))
    assert error_of((4,), groups=2) < 0.8 * error_of((4,))


def test_a_stage_takes_what_is_left():
    books = Codebooks(((torch.tensor([[0.0], [10.0]]), torch.tensor([[-1.0], [1.0]])),))
    assert books.indices(torch.tensor([[9.0], [0.5], [-3.0]])).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert books.features(torch.tensor([[1, 0], [0, 1]])).tolist() == [[9.0], [1.0]]


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="4 groups do not divide 6 features"):
        Codebooks.learn(FEATURES, (4,), groups=4)
    with pytest.raises(ValueError, match="codebooks of \\[\\] bits"):
        Codebooks.learn(FEATURES, ())
    with pytest.raises(CollectionError, match="codebooks of 7 bytes where they take 24"):
        Codebooks.from_bytes(b"1234567", 6, (1,))
