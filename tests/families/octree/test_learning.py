"""What learns of octree objects: against torch's Adam, and going on where it was kept."""

import pytest
import torch

from manyfields.families.octree.baselines.hashed import hashed_code
from manyfields.families.octree.codebooks.indices import IndexOptions, become_indices, indices_from_noise
from manyfields.families.octree.learning import FINER_RATE, OctreeCode
from manyfields.families.octree.tree import Octree


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def a_tree():
    return Octree.of_points(torch.rand(80, 3, generator=seeded(4)) * 1.6 - 0.8, 2, 4)


def steps_of(code, count=4, seed=1, rate=0.1):
    draw = seeded(seed)
    for _ in range(count):
        gradient = 1e-6 * torch.randn(code.table.shape, generator=draw)
        code.table.grad = gradient * (torch.rand(len(gradient), 1, generator=draw) < 0.4)
        code.update(rate)
        assert code.table.grad is None
    return code


def half_way(generator):
    code = OctreeCode.of_features(a_tree(), 16, generator)
    become_indices(code, 0, IndexOptions(4), generator)
    return code


@pytest.mark.parametrize(
    "make",
    [
        lambda g: OctreeCode.of_features(a_tree(), 16, g),
        lambda g: indices_from_noise(a_tree(), 16, IndexOptions(6, entropy=1e-3), g),
        lambda g: indices_from_noise(a_tree(), 16, IndexOptions(6, gumbel=0.5), g),
        lambda g: hashed_code(a_tree(), 16, 4, g),
        half_way,
    ],
)
def test_a_code_that_is_loaded_goes_on_as_the_one_that_was_kept(make):
    whole = steps_of(make(seeded()), 3)
    kept = {name: tensor.clone() for name, tensor in whole.state().items()}
    other = make(seeded(9))
    assert not torch.equal(whole.table, other.table)
    other.load(kept)
    assert torch.equal(whole.table, other.table)
    steps_of(whole, 3, seed=7)
    steps_of(other, 3, seed=7)
    assert torch.equal(whole.table, other.table)
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in whole.state().items())


def test_a_step_without_gradient_changes_nothing():
    code = half_way(seeded())
    before = code.table.detach().clone()
    code.update(0.1)
    assert torch.equal(code.table, before)


def test_features_take_the_steps_of_torchs_adam_finer_levels_shorter_ones():
    code = OctreeCode.of_features(a_tree(), 16, seeded())
    plain = [part.clone().requires_grad_() for part in code.parts]
    rates = [{"params": [part], "lr": 0.1 * FINER_RATE**level} for level, part in enumerate(plain)]
    optimizer = torch.optim.Adam(rates, betas=(0.9, 0.99), eps=1e-15)
    draw = seeded(3)
    for _ in range(3):
        gradient = torch.randn(code.table.shape, generator=draw)
        for part, given in zip(plain, gradient.split(code.tree.corner_counts), strict=True):
            part.grad = given.clone()
        code.table.grad = gradient
        optimizer.step()
        code.update(0.1)
    torch.testing.assert_close(code.table.detach(), torch.cat(plain).detach())


def test_hashed_codebooks_take_the_steps_of_torchs_adam():
    code = hashed_code(a_tree(), 16, 4, seeded())
    plain = [level.codebook.clone().requires_grad_() for level in code.levels]
    optimizer = torch.optim.Adam(plain, lr=0.1, betas=(0.9, 0.99), eps=1e-15)
    draw = seeded(3)
    for _ in range(3):
        gradient = torch.randn(code.table.shape, generator=draw)
        shown = torch.cat([book[level.indices] for book, level in zip(plain, code.levels, strict=True)])
        torch.testing.assert_close(shown.detach(), code.table.detach())
        optimizer.zero_grad()
        shown.backward(gradient)
        optimizer.step()
        code.table.grad = gradient
        code.update(0.1)
    for book, level in zip(plain, code.levels, strict=True):
        torch.testing.assert_close(level.codebook, book.detach(), rtol=1e-4, atol=1e-5)
