"""Latents with noise, rounded and masked."""

import torch

from manyfields.fitting.transform.latents import drawn_mask, masks_of, seen_latents, whole_latents


def test_noise_is_uniform_and_rounding_lets_gradients_through():
    latents = torch.full((3, 40, 50), 1.3, requires_grad=True)
    noisy, seen, kept = seen_latents(latents, None, 1.0, False, torch.Generator().manual_seed(0))
    assert kept is None and torch.equal(noisy, seen)
    away = (noisy - latents).detach()
    assert 0.49 < float(away.max()) <= 0.5 and -0.5 <= float(away.min()) < -0.49 and abs(float(away.mean())) < 0.02
    again, seen, _ = seen_latents(latents, None, 1.0, True, torch.Generator().manual_seed(0))
    assert torch.equal(again, noisy) and seen.unique().tolist() == [1.0]
    seen.sum().backward()
    assert torch.equal(latents.grad, torch.ones_like(latents))


def test_what_a_mask_leaves_out_is_seen_as_zero():
    latents, odds = torch.full((2, 3, 4), 5.0), torch.full((3, 4), -50.0)
    odds[0] = 50.0
    noisy, seen, kept = seen_latents(latents, odds, 1.0, False, torch.Generator().manual_seed(0))
    assert torch.equal(kept, (odds > 0).float()) and not seen[:, 1:].any()
    assert torch.equal(seen[:, 0], noisy[:, 0]) and bool((noisy > 4).all())
    (mask,) = masks_of([odds], True)
    assert torch.equal(mask, odds > 0) and bool(masks_of([odds], False)[0].all())
    (whole,) = whole_latents([1000 * latents], [mask], 2047)
    assert whole.dtype == torch.int64 and whole[:, 0].unique().tolist() == [2047] and not whole[:, 1:].any()


def test_masks_are_drawn_by_their_odds():
    draw = torch.Generator().manual_seed(0)
    odds = torch.tensor([[-2.0, 0.0, 3.0]]).repeat(4000, 1)
    kept = drawn_mask(odds, 1.0, draw)
    assert set(kept.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(kept.mean(0), torch.sigmoid(odds[0]), atol=0.03, rtol=0)


def test_gradients_of_masks_are_those_of_the_softmax():
    odds = torch.tensor([[0.3, -1.0]], requires_grad=True)
    drawn_mask(odds, 2.0, torch.Generator().manual_seed(4)).sum().backward()
    uniform = torch.rand(1, 2, generator=torch.Generator().manual_seed(4))
    gumbel = uniform.log() - (1 - uniform).log()
    soft = torch.sigmoid((odds.detach() + gumbel) / 2.0)
    torch.testing.assert_close(odds.grad, soft * (1 - soft) / 2.0)
