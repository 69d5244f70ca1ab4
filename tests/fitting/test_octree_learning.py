"""What learns of octree objects: against torch's Adam, and going on where it was kept."""

import pytest
import torch

from manyfields.fields import Octree
from manyfields.fitting.hashed_code import HashedCode
from manyfields.fitting.index_code import IndexCode, IndexOptions
from manyfields.fitting.octree_learning import FINER_RATE, FeatureCode


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def a_tree():
    return Octree.of_points(torch.rand(80, 3, generator=seeded(4)) * 1.6 - 0.8, 2, 4)


def steps_of(code, count=4, seed=1, rate=0.1):
    """Steps with gradients at some of the corners; which, and how large, depends on the seed."""
    draw = seeded(seed)
    for _ in range(count):
        gradient = 1e-6 * torch.randn(code.table.shape, generator=draw)
        gradient *= (torch.rand(len(gradient), 1, generator=draw) < 0.4).float()
        code.table.grad = gradient
        code.update(rate)
    return code


@pytest.mark.parametrize(
    "make",
    [
        lambda g: FeatureCode(a_tree(), 16, g),
        lambda g: IndexCode(a_tree(), 16, IndexOptions(6, entropy=1e-3), g),
        lambda g: IndexCode(a_tree(), 16, IndexOptions(6, gumbel=0.5), g),
    ],
)
def test_a_code_that_is_loaded_goes_on_as_the_one_that_was_kept(make):
    whole = steps_of(make(seeded()), 3)
    kept = {name: tensor.clone() for name, tensor in whole.state().items()}
    other = make(seeded(9))
    other.load(kept)
    steps_of(whole, 3, seed=7)
    steps_of(other, 3, seed=7)
    assert torch.equal(whole.table, other.table)
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in whole.state().items())


def test_features_take_the_steps_of_torchs_adam_finer_levels_shorter_ones():
    code = FeatureCode(a_tree(), 16, seeded())
    counts = code.tree.corner_counts
    plain = [part.clone().requires_grad_() for part in code.table.detach().split(counts)]
    rates = [{"params": [part], "lr": 0.1 * FINER_RATE**level} for level, part in enumerate(plain)]
    optimizer = torch.optim.Adam(rates, betas=(0.9, 0.99), eps=1e-15)
    draw = seeded(3)
    for _ in range(3):
        gradient = torch.randn(code.table.shape, generator=draw)
        for part, given in zip(plain, gradient.split(counts), strict=True):
            part.grad = given.clone()
        code.table.grad = gradient
        optimizer.step()
        code.update(0.1)
    torch.testing.assert_close(code.table.detach(), torch.cat(plain).detach())


def test_hashed_codebooks_take_the_steps_of_torchs_adam():
    code = HashedCode(a_tree(), 16, 4, seeded())
    plain = code.codebooks.clone().requires_grad_()
    optimizer = torch.optim.Adam([plain], lr=0.1, betas=(0.9, 0.99), eps=1e-15)
    draw = seeded(3)
    for _ in range(3):
        gradient = torch.randn(code.table.shape, generator=draw)
        shown = torch.cat([book[indices] for book, indices in zip(plain, code.indices, strict=True)])
        torch.testing.assert_close(shown.detach(), code.table.detach())
        optimizer.zero_grad()
        shown.backward(gradient)
        optimizer.step()
        code.table.grad = gradient
        code.update(0.1)
    torch.testing.assert_close(code.codebooks, plain.detach(), rtol=1e-4, atol=1e-5)
    assert code.stored_bytes() == 2 * 16 * 16 * 3
