import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.baselines.vq_planes import KEPT, PRUNED, QUANTISED, VqPlane, VqScene, VqSplit


@given(st.integers(0, 1000), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
@settings(max_examples=40, deadline=None)
def test_kinds_hold_their_shares_of_importance(seed, pruned, kept):
    importance = torch.rand(6, 7, generator=torch.Generator().manual_seed(seed)) ** 8
    kinds = VqSplit(pruned=pruned, kept=kept).kinds(importance)
    total = importance.double().sum()
    one = float(importance.max() / total)
    assert importance[kinds == PRUNED].double().sum() / total <= pruned + 1e-6
    assert abs(float(importance[kinds == KEPT].double().sum() / total) - kept) <= one + 1e-6
    ranked = [importance[kinds == kind] for kind in (PRUNED, QUANTISED, KEPT)]
    filled = [each for each in ranked if len(each)]
    for low, high in zip(filled, filled[1:], strict=False):
        assert low.max() <= high.min()


def test_without_importance_all_is_pruned():
    assert (VqSplit().kinds(torch.zeros(4, 5)) == PRUNED).all()


def test_a_plane_of_few_different_texels_comes_back():
    draw = torch.Generator().manual_seed(1)
    entries = torch.randn(4, 3, generator=draw)
    plane = entries[torch.randint(4, (8, 9), generator=draw)]
    importance = 1.0 + torch.rand(8, 9, generator=draw)
    importance[0, :4] = 0.0
    importance[5, 5] = 1000.0
    made = VqPlane.of_plane(plane, importance, VqSplit(bits=2, pruned=0.0, kept=0.5))
    assert (made.kinds[0, :4] == PRUNED).all() and made.kinds[5, 5] == KEPT
    assert len(made.kept) == 1 and len(made.indices) == 72 - 5 and made.bits == 2
    expected = plane.clone()
    expected[0, :4] = 0.0
    assert torch.allclose(made.plane(), expected)


def test_codebooks_serve_important_texels_first():
    # One entry for two values: it goes to the one that matters, or between both.
    plane = torch.tensor([[[0.0], [1.0]]])
    split = VqSplit(bits=1, pruned=0.0, kept=0.0)
    book = VqPlane.of_plane(torch.cat([plane, plane + 0.2], 1), torch.tensor([[1.0, 100.0, 1.0, 0.01]]), split).codebook
    assert float((book - 1.0).abs().min()) < 0.01


def test_all_learns_through_the_grids(tensors):
    family = tensors.new_shared().family
    (grids,) = tensors.random_codes(family).grids
    importance = [torch.rand(plane.shape[:2]) for plane in grids.density.planes]
    scene = VqScene.of_grids(grids, importance, VqSplit(bits=3, pruned=0.1, kept=0.5))
    numbers = [number.clone().requires_grad_() for number in scene.numbers]
    sum(tensor.square().sum() for tensor in scene.with_numbers(numbers).grids().tensors).backward()
    assert all(bool((number.grad == 2 * number).any()) for number in numbers[6:])
    for number, plane in zip(numbers[:6], scene.planes, strict=True):
        uses = torch.bincount(plane.indices, minlength=len(number))
        assert torch.allclose(number.grad, 2 * number * uses[:, None])
    again = scene.grids()
    assert again.resolution == grids.resolution and torch.equal(again.density.vectors[1], grids.density.vectors[1])


@pytest.mark.parametrize("wrong", [{"bits": 0}, {"bits": 17}, {"pruned": -0.1}, {"pruned": 0.5, "kept": 0.6}])
def test_splits_without_meaning_are_refused(wrong):
    with pytest.raises(ConfigError):
        VqSplit(**wrong)
