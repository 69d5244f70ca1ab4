"""Indices that learn: the compiled step against the plain one, and the plain one against autograd."""

from contextlib import nullcontext

import pytest
import torch

from manyfields.compiled import plain_only
from manyfields.errors import ConfigError
from manyfields.fields import Octree
from manyfields.fitting.gumbel import gumbel_noise
from manyfields.fitting.index_code import IndexCode, IndexOptions


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
            made.append(steps_of(IndexCode(a_tree(), 16, IndexOptions(bits, entropy), seeded())))
    one, other = (code.state() for code in made)
    for name in ("logits", "first"):
        torch.testing.assert_close(one[name].float(), other[name].float(), rtol=4e-3, atol=4e-3)
    torch.testing.assert_close(one["counts"], other["counts"])
    torch.testing.assert_close(one["second"], other["second"], rtol=2e-2, atol=0.0)
    assert (one["indices"] == other["indices"]).float().mean() > 0.99
    torch.testing.assert_close(one["codebooks"], other["codebooks"], rtol=1e-2, atol=2e-2)


def test_the_first_step_of_logits_and_codebook_is_adams_of_the_straight_through_gradient():
    code = IndexCode(a_tree(), 16, IndexOptions(4), seeded())
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
    code = IndexCode(a_tree(), 16, IndexOptions(6), seeded())
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
    code = steps_of(IndexCode(a_tree(), 16, IndexOptions(3), seeded()), 6)
    for level, rows in enumerate(code._levels()):
        best = code.logits[rows, :8].float().argmax(-1)
        assert torch.equal(best, code.chosen()[rows].long())
        assert torch.equal(code.table.detach()[rows], code.codebooks[level][best])


def test_a_price_of_indices_makes_them_more_alike():
    def entropy_of(weight):
        code = steps_of(IndexCode(a_tree(), 16, IndexOptions(4, weight), seeded()), 60)
        shares = torch.bincount(code.indices.long(), minlength=16) / len(code.indices)
        return float(-(shares * (shares + 1e-9).log2()).sum())

    assert entropy_of(1.0) < entropy_of(0.0) - 0.5


@pytest.mark.parametrize("bits", [0, 11])
def test_bits_that_no_index_can_have_are_refused(bits):
    with pytest.raises(ConfigError, match=f"bits {bits}: an index takes from 1 to 10"):
        IndexOptions(bits)


def test_indices_that_start_from_features_show_them_as_k_means_does():
    tree = a_tree()
    table = torch.randn(sum(tree.corner_counts), 16, generator=seeded(2))
    code = IndexCode.of_features(tree, table, IndexOptions(4), seeded())
    parts = zip(code.table.detach().split(tree.corner_counts), table.split(tree.corner_counts), strict=True)
    for (shown, features), book, rows in zip(parts, code.codebooks, code._levels(), strict=True):
        nearest = torch.cdist(features, book).argmin(-1)
        assert torch.equal(shown, book[nearest])
        assert (shown - features).square().mean() < 0.9 * features.square().mean()
        logits = code.logits[rows, :16].float()
        assert logits.amax() <= 0.0 and logits.amin() >= -8.0
        assert torch.equal(logits.argmax(-1), nearest)


@pytest.mark.parametrize("options", [{"entropy": -1.0}, {"gumbel": -0.5}, {"gumbel": float("nan")}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} .*: a number not below 0"):
        IndexOptions(4, **options)


def test_with_noise_indices_are_drawn_and_the_backward_pass_has_the_same_noise():
    code = IndexCode(a_tree(), 16, IndexOptions(4, gumbel=1.0), seeded())
    steps_of(code, 3)
    touched = code.counts > 0
    noise = gumbel_noise(torch.arange(len(code.counts)), code.counts.unsqueeze(1), 16)
    seen = code.logits[:, :16].float() + noise
    assert torch.equal(code.indices[touched], seen.argmax(-1).to(torch.int32)[touched])
    assert torch.equal(code.chosen(), code.logits[:, :16].float().argmax(-1).to(torch.int32))
    assert (code.indices != code.chosen())[touched].float().mean() > 0.5  # logits are about alike
    for level, rows in enumerate(code._levels()):
        assert torch.equal(code.table.detach()[rows], code.codebooks[level][code.indices[rows].long()])
    row = int(touched.nonzero()[0])
    level = next(number for number, rows in enumerate(code._levels()) if rows.start <= row < rows.stop)
    gradient = torch.randn(16, generator=seeded(5))
    shares = torch.softmax(seen[row], -1)
    gains = code.codebooks[level] @ gradient
    change = shares * (gains - shares @ gains)
    before, kept = code.second[row].clone(), code.first[row, :16].float()
    code.table.grad = torch.zeros_like(code.table)
    code.table.grad[row] = gradient
    code.update(0.1)
    second = 0.99 * before + 0.01 * change.square().mean()
    expected = (0.9 * kept * before.sqrt() + 0.1 * change) / second.sqrt()
    torch.testing.assert_close(code.first[row, :16].float(), expected, rtol=2e-3, atol=2e-3)
