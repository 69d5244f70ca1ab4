"""Learned indices against the definition: argmax forward, the softmax's gradient backward."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import manyfields.fields.codebooks as codebooks
from manyfields.errors import ConfigError
from manyfields.fields import LearnedIndices, Octree, OctreeConfig, OctreeFamily


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_indices(counts=(30, 50), bits=3, features=5, scale=100.0, **options):
    """In float64, with logits and codebooks that are spread out."""
    made = LearnedIndices(counts, bits, features, generator=seeded(), **options).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= scale
    return made


def straight_through(logits, codebook, noise=0.0, codebook_learns="hard"):
    """Features by equation 8 that learn by equation 9, as autograd writes it; the softmax beside them."""
    soft = torch.softmax(logits + noise, -1)
    hard = torch.nn.functional.one_hot((logits + noise).argmax(-1), logits.shape[1]).to(soft.dtype)
    if codebook_learns == "soft":
        return soft @ codebook + ((hard - soft) @ codebook).detach(), soft
    return (soft + (hard - soft).detach()) @ codebook, soft


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.integers(0, 50), st.sampled_from([64, 1 << 19]), st.sampled_from(["hard", "soft"]))
def test_forward_and_backward_equal_the_straight_through_estimator(bits, seed, at_once, codebook_learns):
    learned = some_indices(bits=bits, entropy=True, codebook_learns=codebook_learns)
    corners = torch.randperm(50, generator=seeded(seed))[:17].sort().values
    weights = torch.randn(17, 5, dtype=torch.float64, generator=seeded(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codebooks, "NUMBERS_AT_ONCE", at_once)
        found = learned.features(1, corners)
        entropy = learned.index_entropy()
        ((found * weights).sum() + 0.7 * entropy).backward()

    logits = learned.logits[1].detach().clone().requires_grad_()
    codebook = learned.codebooks[1].detach().clone().requires_grad_()
    expected, soft = straight_through(logits[corners], codebook, codebook_learns=codebook_learns)
    mean = soft.mean(0)
    expected_entropy = -(mean * mean.log2()).sum()
    ((expected * weights).sum() + 0.7 * expected_entropy).backward()
    assert torch.equal(found, codebook[logits[corners].argmax(-1)])
    torch.testing.assert_close(entropy, expected_entropy)
    torch.testing.assert_close(learned.logits[1].grad.to_dense(), logits.grad)
    torch.testing.assert_close(learned.codebooks[1].grad, codebook.grad)
    assert learned.logits[0].grad is None


def test_only_touched_rows_get_gradients():
    learned = some_indices()
    corners = torch.tensor([3, 8, 21])
    learned.features(0, corners).square().sum().backward()
    gradient = learned.logits[0].grad
    assert gradient.is_sparse and gradient._nnz() == 3
    assert gradient.coalesce().indices()[0].tolist() == [3, 8, 21]


def test_gradients_are_handed_on_as_they_come():
    kept, given = some_indices(), some_indices()
    corners = torch.arange(0, 50, 3)
    seen = []
    given.receive = lambda level, rows, values: seen.append((level, rows, values.clone()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codebooks, "NUMBERS_AT_ONCE", 40)
        for learned in (kept, given):
            learned.features(1, corners).square().sum().backward()
    assert len(seen) == 4 and {level for level, _, _ in seen} == {1}
    assert given.logits[1].grad is None
    assert torch.equal(torch.cat([rows for _, rows, _ in seen]), corners)
    torch.testing.assert_close(torch.cat([values for _, _, values in seen]), kept.logits[1].grad.coalesce().values())
    torch.testing.assert_close(given.codebooks[1].grad, kept.codebooks[1].grad)


def test_softmaxes_exist_for_some_rows_at_a_time(monkeypatch):
    # The largest tensor that a step makes, counted where every operation passes.
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, function, kinds, arguments=(), options=None):
            result = function(*arguments, **(options or {}))
            if isinstance(result, torch.Tensor) and not result.is_sparse and not function.is_view:
                self.numbers = max(self.numbers, result.numel())
            return result

    monkeypatch.setattr(codebooks, "NUMBERS_AT_ONCE", 6400)
    learned = LearnedIndices([5000], 6)
    learned.receive = lambda level, rows, values: None
    with Largest() as seen:
        learned.features(0, torch.arange(5000)).square().sum().backward()
    assert seen.numbers == 5000 * 16, "features of touched corners are the most that is written out"


def test_noise_is_the_same_forward_and_backward_and_only_in_training():
    learned = some_indices(bits=4, scale=20.0, gumbel=seeded(7))
    corners = torch.arange(50)
    found = learned.features(1, corners)
    found.square().sum().backward()
    seed = int(torch.randint(2**62, (1,), generator=seeded(7)))
    uniform = torch.rand(50, 16, dtype=torch.float64, generator=seeded(seed))
    logits = learned.logits[1].detach().clone().requires_grad_()
    expected, _ = straight_through(logits, learned.codebooks[1].detach(), -(-uniform.log()).log())
    expected.square().sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(learned.logits[1].grad.to_dense(), logits.grad)
    assert not torch.equal(learned.features(1, corners), found)
    learned.eval()
    assert torch.equal(learned.features(1, corners), learned.table(1))


def test_baked_indices_and_tables():
    learned = some_indices(bits=2)
    for level, count in enumerate((30, 50)):
        indices = learned.indices(level)
        assert indices.shape == (count,) and indices.min() >= 0 and indices.max() < 4
        assert torch.equal(indices, learned.logits[level].argmax(-1))
        assert torch.equal(learned.table(level), learned.codebooks[level][indices])
        assert torch.equal(learned.features(level, torch.arange(count)), learned.table(level))


def test_entropy_has_its_bounds():
    learned = some_indices(bits=3, scale=0.0, entropy=True)
    learned.features(0, torch.arange(30))
    assert learned.index_entropy().item() == pytest.approx(3.0)
    with torch.no_grad():
        learned.logits[0][:, 5] = 1000.0
    learned.features(0, torch.arange(30))
    assert learned.index_entropy().item() == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ValueError, match="entropy=True"):
        learned.index_entropy()


def test_logits_in_half_precision():
    exact, half = (
        LearnedIndices([40], 4, dtype=dtype, codebook_learns="soft", generator=seeded())
        for dtype in (torch.float32, torch.float16)
    )
    for learned in (exact, half):
        learned.features(0, torch.arange(40)).sum().backward()
    assert half.logits[0].dtype == torch.float16 and half.codebooks[0].dtype == torch.float32
    torch.testing.assert_close(half.codebooks[0].grad, exact.codebooks[0].grad, atol=1e-3, rtol=1e-3)


def test_a_field_of_indices_is_that_of_their_tables():
    family = OctreeFamily(OctreeConfig(first=1, last=3, hidden=8), seeded())
    generator = seeded(1)
    trees = tuple(Octree.of_points(2 * torch.rand(20, 3, generator=generator) - 1, 1, 3) for _ in range(2))
    counts = [sum(tree.corner_counts[level] for tree in trees) for level in range(3)]
    learned = LearnedIndices(counts, 4, generator=generator)
    points = 2 * torch.rand(2, 50, 3, generator=generator) - 1
    for level in (1, 3):
        field = family.field_of(trees, learned, level)
        found = field(points)
        # Levels first, objects within: the tables of a level are cut into those of objects, and put together by object.
        cut = [learned.table(at).split([tree.corner_counts[at] for tree in trees]) for at in range(3)]
        codes = family.new_codes(trees)
        codes.features.copy_(torch.cat([cut[at][row] for row in range(2) for at in range(3)]))
        expected = family.field(codes, level)(points)
        torch.testing.assert_close(found.density, expected.density)
        torch.testing.assert_close(found.channels, expected.channels)
        found.channels.sum().backward()
        assert [logits.grad is not None for logits in learned.logits] == [at < level for at in range(3)]


def test_bits_have_bounds():
    for bits in (0, 11):
        with pytest.raises(ConfigError, match=f"bits {bits}: an index takes from 1 to 10"):
            LearnedIndices([3], bits)
