"""What learns of octree objects: the compiled step against the plain one, and the plain one against autograd."""

from contextlib import nullcontext

import pytest
import torch

from manyfields.compiled import plain_only
from manyfields.errors import ConfigError
from manyfields.fields import Octree
from manyfields.fitting.hashed_code import HashedCode
from manyfields.fitting.octree_learning import FeatureCode, IndexCode


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


@pytest.mark.parametrize("bits", [1, 3, 4, 6, 10])
@pytest.mark.parametrize("entropy", [0.0, 1e-3])
def test_the_compiled_step_is_the_plain_one(bits, entropy):
    pytest.importorskip("numba")
    made = []
    for plain in (False, True):
        with plain_only() if plain else nullcontext():
            made.append(steps_of(IndexCode(a_tree(), 16, bits, seeded(), entropy)))
    one, other = (code.state() for code in made)
    for name in ("logits", "first"):
        torch.testing.assert_close(one[name].float(), other[name].float(), rtol=4e-3, atol=4e-3)
    torch.testing.assert_close(one["counts"], other["counts"])
    torch.testing.assert_close(one["second"], other["second"], rtol=2e-2, atol=0.0)
    assert (one["indices"] == other["indices"]).float().mean() > 0.99
    torch.testing.assert_close(one["codebooks"], other["codebooks"], rtol=1e-2, atol=2e-2)


def test_the_first_step_of_logits_and_codebook_is_adams_of_the_straight_through_gradient():
    code = IndexCode(a_tree(), 16, 4, seeded())
    code.codebooks.mul_(50.0)
    code._show()
    logits = code.logits.float()[:, :16].requires_grad_()
    books = [book.clone().requires_grad_() for book in code.codebooks]
    gradient = torch.randn(code.table.shape, generator=seeded(2))
    gradient[::3] = 0.0
    soft = torch.softmax(logits, -1)
    hard = torch.nn.functional.one_hot(logits.argmax(-1), 16).float()
    through = soft + (hard - soft).detach()
    shown = torch.cat([through[rows] @ book for rows, book in zip(code._levels(), books, strict=True)])
    torch.testing.assert_close(shown, code.table.detach())
    (shown * gradient).sum().backward()
    code.table.grad = gradient.clone()
    code.update(0.1)
    of_logits = logits.grad
    size = of_logits.square().mean(-1, keepdim=True).sqrt()
    moved = torch.where(size > 0, 0.1 * of_logits / size.clamp(min=1e-30), 0.0)
    torch.testing.assert_close(code.logits.float()[:, :16], logits.detach() - moved, rtol=2e-3, atol=2e-3)
    for level, book in enumerate(books):
        expected = book.detach() - 0.1 * book.grad.sign()
        torch.testing.assert_close(code.codebooks[level], expected, rtol=1e-4, atol=1e-4)


def test_corners_that_no_step_touches_stay_as_they_are():
    code = IndexCode(a_tree(), 16, 6, seeded())
    before = {name: tensor.clone() for name, tensor in code.state().items()}
    gradient = torch.zeros_like(code.table)
    gradient[5] = 1.0
    code.table.grad = gradient
    code.update(0.1)
    for name in ("logits", "first", "second", "counts"):
        changed = (
            (code.state()[name] != before[name]).flatten(1).any(-1)
            if code.state()[name].dim() > 1
            else (code.state()[name] != before[name])
        )
        assert changed.nonzero().flatten().tolist() == [5]


def test_the_table_shows_the_codebook_rows_of_the_largest_logits():
    code = steps_of(IndexCode(a_tree(), 16, 3, seeded()), 6)
    for level, rows in enumerate(code._levels()):
        best = code.logits[rows, :8].float().argmax(-1)
        assert torch.equal(best, code.indices_of(level))
        assert torch.equal(code.table.detach()[rows], code.codebooks[level][best])


def test_a_price_of_indices_makes_them_more_alike():
    def entropy_of(weight):
        code = steps_of(IndexCode(a_tree(), 16, 4, seeded(), weight), 60)
        shares = torch.bincount(code.indices.long(), minlength=16) / len(code.indices)
        return float(-(shares * (shares + 1e-9).log2()).sum())

    assert entropy_of(1.0) < entropy_of(0.0) - 0.5


@pytest.mark.parametrize(
    "make", [lambda g: FeatureCode(a_tree(), 16, g), lambda g: IndexCode(a_tree(), 16, 6, g, 1e-3)]
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


def test_features_take_the_steps_of_torchs_adam():
    code = FeatureCode(a_tree(), 16, seeded())
    plain = code.table.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([plain], lr=0.1, betas=(0.9, 0.99), eps=1e-15)
    draw = seeded(3)
    for _ in range(3):
        gradient = torch.randn(plain.shape, generator=draw)
        plain.grad, code.table.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        code.update(0.1)
    torch.testing.assert_close(code.table.detach(), plain.detach())


@pytest.mark.parametrize("bits", [0, 11])
def test_bits_that_no_index_can_have_are_refused(bits):
    with pytest.raises(ConfigError, match=f"bits {bits}: an index takes from 1 to 10"):
        IndexCode(a_tree(), 16, bits, seeded())


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


def test_indices_that_start_from_features_show_them_as_k_means_does():
    tree = a_tree()
    table = torch.randn(sum(tree.corner_counts), 16, generator=seeded(2))
    code = IndexCode.of_features(tree, table, 4, seeded())
    parts = zip(code.table.detach().split(tree.corner_counts), table.split(tree.corner_counts), strict=True)
    for (shown, features), book, rows in zip(parts, code.codebooks, code._levels(), strict=True):
        nearest = torch.cdist(features, book).argmin(-1)
        assert torch.equal(shown, book[nearest])
        assert (shown - features).square().mean() < 0.9 * features.square().mean()
        logits = code.logits[rows, :16].float()
        assert logits.amax() <= 0.0 and logits.amin() >= -8.0
        assert torch.equal(logits.argmax(-1), nearest)
