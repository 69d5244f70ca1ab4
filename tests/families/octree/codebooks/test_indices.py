"""Indices that learn: the compiled step against the plain one, and the plain one against autograd."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from scipy import stats

from manyfields.compiled import plain_only
from manyfields.errors import ConfigError
from manyfields.families.octree.codebooks.indices import (
    IndexOptions,
    LevelIndices,
    become_indices,
    gumbel_noise,
    indices_from_noise,
    levels_by_then,
    levels_of_indices,
)
from manyfields.families.octree.learning import LevelFeatures, OctreeCode
from manyfields.families.octree.tree import Octree

CORNERS = 300


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def a_level(bits, count=CORNERS, **options):
    return LevelIndices(torch.zeros(count, 16), IndexOptions(bits, **options), seeded())


def steps_of(level, count=4, seed=1, rate=0.1):
    """Steps with gradients at some of the corners; which, and how large, depends on the seed."""
    draw = seeded(seed)
    for _ in range(count):
        gradient = 1e-6 * torch.randn(level.shown.shape, generator=draw)
        gradient *= (torch.rand(len(gradient), 1, generator=draw) < 0.4).float()
        level.update(gradient, rate)
    return level


@pytest.mark.parametrize("bits", [1, 3, 4, 6, 10])
@pytest.mark.parametrize("entropy", [0.0, 1e-3])
def test_the_compiled_step_is_the_plain_one(bits, entropy):
    pytest.importorskip("numba")
    made = []
    for plain in (False, True):
        with plain_only() if plain else nullcontext():
            made.append(steps_of(a_level(bits, entropy=entropy)))
    one, other = (level.state() for level in made)
    for name in ("logits", "first"):
        torch.testing.assert_close(one[name].float(), other[name].float(), rtol=4e-3, atol=4e-3)
    torch.testing.assert_close(one["counts"], other["counts"])
    torch.testing.assert_close(one["second"], other["second"], rtol=2e-2, atol=0.0)
    assert (one["indices"] == other["indices"]).float().mean() > 0.99
    torch.testing.assert_close(one["codebook"], other["codebook"], rtol=1e-2, atol=2e-2)


@pytest.mark.parametrize("pace", [1.0, 0.25])
def test_the_first_step_of_logits_and_codebook_is_adams_of_the_straight_through_gradient(pace):
    level = a_level(4)
    level.pace = pace
    level.codebook.mul_(50.0)
    level.show()
    logits = level.logits.float()[:, :16].requires_grad_()
    book = level.codebook.clone().requires_grad_()
    gradient = torch.randn(level.shown.shape, generator=seeded(2))
    gradient[::3] = 0.0
    soft = torch.softmax(logits, -1)
    hard = torch.nn.functional.one_hot(logits.argmax(-1), 16).float()
    shown = (soft + (hard - soft).detach()) @ book
    torch.testing.assert_close(shown, level.shown)
    (shown * gradient).sum().backward()
    level.update(gradient, 0.1)
    size = logits.grad.square().mean(-1, keepdim=True).sqrt()
    moved = torch.where(size > 0, 0.1 * pace * logits.grad / size.clamp(min=1e-30), 0.0)
    torch.testing.assert_close(level.logits.float()[:, :16], logits.detach() - moved, rtol=2e-3, atol=2e-3)
    expected = book.detach() - 0.1 * pace * book.grad.sign()
    torch.testing.assert_close(level.codebook, expected, rtol=1e-4, atol=1e-4)


def test_corners_that_no_step_touches_stay_as_they_are():
    level = a_level(6)
    before = {name: tensor.clone() for name, tensor in level.state().items()}
    gradient = torch.zeros_like(level.shown)
    gradient[5] = 1.0
    level.update(gradient, 0.1)
    for name in ("logits", "first", "second", "counts"):
        changed = level.state()[name] != before[name]
        assert changed.reshape(CORNERS, -1).any(-1).nonzero().flatten().tolist() == [5]


def test_the_table_shows_the_codebook_rows_of_the_largest_logits():
    level = steps_of(a_level(3), 6)
    best = level.logits[:, :8].float().argmax(-1)
    assert torch.equal(best, level.chosen().long()) and torch.equal(level.shown, level.codebook[best])


def test_a_price_of_indices_makes_them_more_alike():
    def entropy_of(weight):
        level = steps_of(a_level(4, entropy=weight), 60)
        shares = torch.bincount(level.indices.long(), minlength=16) / CORNERS
        return float(-(shares * (shares + 1e-9).log2()).sum())

    assert entropy_of(1.0) < entropy_of(0.0) - 0.5


@pytest.mark.parametrize("bits", [0, 11])
def test_bits_that_no_index_can_have_are_refused(bits):
    with pytest.raises(ConfigError, match=f"bits {bits}: an index takes from 1 to 10"):
        IndexOptions(bits)


@pytest.mark.parametrize("options", [{"entropy": -1.0}, {"gumbel": -0.5}, {"gumbel": float("nan")}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigError, match=f"^{next(iter(options))}.*: a number"):
        IndexOptions(4, **options)


def test_with_noise_indices_are_drawn_and_the_backward_pass_has_the_same_noise():
    level = steps_of(a_level(4, gumbel=1.0), 3)
    touched = level.counts > 0
    seen = level.logits[:, :16].float() + gumbel_noise(torch.arange(CORNERS), level.counts.unsqueeze(1), 16)
    assert torch.equal(level.indices[touched], seen.argmax(-1).to(torch.int32)[touched])
    assert torch.equal(level.chosen(), level.logits[:, :16].float().argmax(-1).to(torch.int32))
    assert (level.indices != level.chosen())[touched].float().mean() > 0.5  # logits are about alike
    assert torch.equal(level.shown, level.codebook[level.indices.long()])
    row = int(touched.nonzero()[0])
    gradient = torch.zeros_like(level.shown)
    gradient[row] = torch.randn(16, generator=seeded(5))
    shares, gains = torch.softmax(seen[row], -1), level.codebook @ gradient[row]
    change = shares * (gains - shares @ gains)
    before, kept = level.second[row].clone(), level.first[row, :16].float()
    level.update(gradient, 0.1)
    second = 0.99 * before + 0.01 * change.square().mean()
    expected = (0.9 * kept * before.sqrt() + 0.1 * change) / second.sqrt()
    torch.testing.assert_close(level.first[row, :16].float(), expected, rtol=2e-3, atol=2e-3)


def test_indices_that_start_from_features_show_them_as_k_means_does():
    features = torch.randn(CORNERS, 16, generator=seeded(2))
    shown = features.clone()
    level = LevelIndices.of_features(shown, IndexOptions(4), seeded())
    nearest = torch.cdist(features, level.codebook).argmin(-1)
    assert level.shown is shown and torch.equal(shown, level.codebook[nearest])
    assert (shown - features).square().mean() < 0.9 * features.square().mean()
    logits = level.logits[:, :16].float()
    assert logits.amax() <= 0.0 and logits.amin() >= -8.0 and torch.equal(logits.argmax(-1), nearest)


def test_levels_become_indices_one_by_one_and_the_others_stay_features():
    tree = Octree.of_points(torch.rand(80, 3, generator=seeded(4)) * 1.6 - 0.8, 2, 4)
    code = OctreeCode.of_features(tree, 16, seeded())
    before = code.table.detach().clone()
    become_indices(code, 0, IndexOptions(2), seeded())
    kinds = [type(level) for level in code.levels]
    assert kinds == [LevelIndices, LevelFeatures, LevelFeatures] and levels_of_indices(code) is None
    first = tree.corner_counts[0]
    assert len(code.table[:first].unique(dim=0)) <= 4 and torch.equal(code.table[first:], before[first:])
    for level in (1, 2):
        become_indices(code, level, IndexOptions(2), seeded())
    assert levels_of_indices(code) == code.levels


def test_when_levels_become_indices():
    assert [levels_by_then(share, 4) for share in (0.0, 0.18, 0.2, 0.37, 0.39, 0.56, 0.58, 1.0)] == [
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
    ]
    assert levels_by_then(0.0, 1) == levels_by_then(1.0, 1) == 1


def test_indices_from_noise_are_on_all_levels():
    tree = Octree.of_points(torch.rand(80, 3, generator=seeded(4)) * 1.6 - 0.8, 2, 4)
    code = indices_from_noise(tree, 16, IndexOptions(3), seeded())
    assert [level.pace for level in levels_of_indices(code)] == [1.0] * 3
    assert all(len(part.unique(dim=0)) <= 8 for part in code.parts) and code.table.detach().std() < 0.02


def test_noise_has_gumbels_distribution_and_no_two_draws_agree():
    rows = torch.arange(500)
    first, second = (gumbel_noise(rows, torch.full((500, 1), draw), 16).flatten().numpy() for draw in (1, 2))
    assert stats.kstest(first, "gumbel_r").pvalue > 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert len(np.unique(np.concatenate([first, second]))) > 15_900


def test_the_same_row_draw_and_entry_have_the_same_noise_in_any_company():
    whole = gumbel_noise(torch.arange(50), torch.arange(50).unsqueeze(1), 8)
    rows = torch.tensor([40, 3, 7])
    assert torch.equal(gumbel_noise(rows, rows.unsqueeze(1), 8), whole[rows])


def test_the_largest_with_noise_is_drawn_by_the_softmax():
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    drawn = (logits + gumbel_noise(torch.arange(20_000), torch.ones(20_000, 1, dtype=torch.int64), 4)).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(shares, logits.softmax(-1), atol=0.015, rtol=0.0)
