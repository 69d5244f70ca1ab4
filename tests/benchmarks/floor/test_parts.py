"""What is counted: by hand on small cases, and against PyTorch's own counter."""

import pytest
import torch
from torch import nn

from benchmarks.floor import parts
from manyfields.compiled import plain_only
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes


def test_a_gather_by_hand():
    # 3 points x 12 rows x 2 features: 72 multiply-adds of 4 bytes each, out of 3 planes of 5 x 5 texels.
    found = parts.gather(3, 2, 5)
    assert (found.flop, found.gathered, found.moved) == (144, 288, 600)
    back = parts.scatter(3, 2, 5)
    assert (back.flop, back.gathered, back.moved) == (144, 576, 600)


def test_adam_and_compositing_by_hand():
    assert parts.adam(10).moved == 10 * 7 * 4
    assert parts.composite(5, 3).flop == 5 * 14


@pytest.mark.parametrize("learns", [False, True])
def test_the_tiny_decoder_is_counted_as_pytorch_does(counted, learns):
    samples, features, hidden, values = 7, 5, 6, 4
    decoder = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, values)).requires_grad_(learns)
    points = torch.rand(samples, features, requires_grad=True)
    forward = counted(lambda: decoder(points))
    both = counted(lambda: decoder(points).sum().backward())
    assert parts.decode(samples, features, hidden, values).products == forward
    back = parts.decode_back(samples, features, hidden, values, features, learns)
    assert back.products == both - forward


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("to_bases", [False, True])
def test_mixing_is_counted_as_pytorch_does(counted, groups, to_bases):
    family = FusedPlanes(FusedPlanesConfig(2, 3, 4, resolution=5, hidden=4, weight_groups=groups))
    family.base.requires_grad_(to_bases)
    codes = family.new_codes(1)
    codes.tensors["weights"].requires_grad_()
    with plain_only():  # the counter does not see what is compiled
        forward = counted(lambda: family.planes(codes))
        both = counted(lambda: family.planes(codes).sum().backward())
    assert parts.mix(4, 3, 5).products == forward
    assert parts.mix_back(4, 3, 5, to_bases=to_bases).products == both - forward


def test_the_floor_is_the_longest_of_computing_moving_and_gathering():
    machine = parts.Machine("slow", products=10.0, others=5.0, halves=20.0, memory=2.0, gather=4.0)
    assert machine.seconds(parts.Part("a", products=10, others=10, halves=20, moved=2)) == 4.0
    assert machine.seconds(parts.Part("a", products=10, moved=6)) == 3.0
    assert machine.seconds(parts.Part("a", gathered=40)) == 10.0
    unknown = parts.Machine("unknown", 10.0, 5.0, 20.0, 2.0)
    assert unknown.seconds(parts.Part("a", products=1, gathered=1e9)) == 0.1
    assert machine.floor([parts.Part("a", products=10), parts.Part("b", moved=6)]) == 4.0


def test_parts_of_one_name_add_up():
    one, other = parts.Part("a", 1, 2, 3, 4, 5), parts.Part("b", moved=1)
    assert parts.joined([one, other, one * 2]) == [one * 3, other]
    assert (one * 3).flop == 18


def test_the_table_ends_with_the_sum():
    machine = parts.Machine("slow", 1e12, 1e12, 1e12, 1e9)
    text = parts.table("Title", [parts.Part("a", products=2e12), parts.Part("b", moved=3e9)], [machine])
    assert text.splitlines()[-1] == "| all | 2.0 | 3.0 |  | 5.0 |"
