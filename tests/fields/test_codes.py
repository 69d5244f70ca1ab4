import pytest
import torch

from manyfields.fields import Codes


def codes(count=4):
    return Codes(
        {"weights": torch.arange(count * 2.0).view(count, 2), "micro": torch.arange(count * 1.0).view(count, 1)}
    )


@pytest.mark.parametrize("row", [0, 2, -1, -4])
def test_a_single_index_keeps_the_objects_dimension(row):
    one = codes()[row]
    assert len(one) == 1
    assert torch.equal(one.tensors["weights"][0], codes().tensors["weights"][row])


def test_slices_lists_and_tensors_index_every_tensor():
    for rows in (slice(1, 3), [1, 2], torch.tensor([1, 2])):
        some = codes()[rows]
        assert some.tensors["micro"].flatten().tolist() == [1.0, 2.0]
        assert some.tensors["weights"].tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_concatenation_inverts_splitting():
    whole = Codes.concatenate([codes()[:1], codes()[1:]])
    assert len(whole) == 4 and torch.equal(whole.tensors["weights"], codes().tensors["weights"])


@pytest.mark.parametrize("row", [4, -5])
def test_an_object_that_is_not_there_is_an_error(row):
    with pytest.raises(IndexError, match=f"object {row} of 4"):
        codes()[row]


def test_iteration_gives_one_object_at_a_time_and_ends():
    assert [len(one) for one in codes()] == [1, 1, 1, 1]


def test_to_changes_every_tensor():
    assert {tensor.dtype for tensor in codes().to(torch.float16).tensors.values()} == {torch.float16}
