"""Principal components of parts, against a singular value decomposition in float64."""

import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.generation import LinearSpace

GROUPS = (("a", "b"), ("c",))


@pytest.fixture
def parts() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    low = torch.randn(20, 6, generator=draw)
    return {
        "a": 5 + low @ torch.randn(6, 40, generator=draw),
        "b": 100 * low @ torch.randn(6, 30, generator=draw),
        "c": torch.randn(20, 3, generator=draw),
    }


def test_coordinates_are_those_of_a_singular_value_decomposition(parts):
    space = LinearSpace.learn(parts, GROUPS, 4)
    scaled = []
    for name in "ab":
        centred = parts[name].double() - parts[name].double().mean(0)
        scaled.append(centred / centred.square().sum(1).mean().sqrt())
    left, values, _ = torch.linalg.svd(torch.cat(scaled, 1), full_matrices=False)
    expected = left[:, :4] * values[:4]
    expected = expected / expected.square().mean().sqrt()
    found = space.coordinates(parts)[:, :4].double()
    assert (found.abs() - expected.abs()).abs().max() < 5e-3  # directions are kept in 16 bits; signs are free
    assert space.ranks == [4, 3]


def test_objects_come_back_where_the_rank_is_enough(parts):
    space = LinearSpace.learn(parts, GROUPS, 50)
    assert space.ranks == [6, 3]
    for name, again in space.parts(space.coordinates(parts)).items():
        assert (again - parts[name]).square().mean().sqrt() < 2e-3 * parts[name].std()


def test_mean_square_of_coordinates_is_1(parts):
    vectors = LinearSpace.learn(parts, GROUPS, 50).coordinates(parts)
    assert vectors[:, :6].square().mean().item() == pytest.approx(1.0, abs=1e-2)
    assert vectors[:, 6:].square().mean().item() == pytest.approx(1.0, abs=1e-2)


def test_the_mean_of_coordinates_is_that_of_parts(parts):
    space = LinearSpace.learn(parts, GROUPS, 50)
    middle = space.parts(space.coordinates(parts)[:2].mean(0, keepdim=True))
    for name in parts:
        assert torch.allclose(middle[name][0], parts[name][:2].mean(0), atol=2e-3 * float(parts[name].std()))


def test_the_scale_of_a_part_does_not_count(parts):
    vectors = LinearSpace.learn(parts, GROUPS, 4).coordinates(parts)
    louder = {**parts, "a": 1000 * parts["a"]}
    assert torch.allclose(LinearSpace.learn(louder, GROUPS, 4).coordinates(louder), vectors, atol=5e-3)


def test_a_part_in_which_objects_do_not_differ(parts):
    same = {**parts, "c": torch.ones(20, 3)}
    space = LinearSpace.learn(same, GROUPS, 4)
    assert space.ranks == [4, 0]
    assert torch.equal(space.parts(space.coordinates(same))["c"], same["c"])


def test_it_is_stored_and_read(parts):
    space = LinearSpace.learn(parts, GROUPS, 4)
    again = LinearSpace.from_tensors(space.tensors(), space.config())
    assert torch.equal(again.coordinates(parts), space.coordinates(parts))


def test_files_that_contradict_themselves(parts):
    space = LinearSpace.learn(parts, GROUPS, 4)
    tensors = space.tensors()
    with pytest.raises(CollectionError, match="not one of"):
        LinearSpace.from_tensors({**tensors, "0.mean": tensors["0.mean"][1:]}, space.config())
    with pytest.raises(CollectionError, match="no meaning"):
        LinearSpace.from_tensors({**tensors, "0.mean": tensors["0.mean"] * torch.nan}, space.config())
