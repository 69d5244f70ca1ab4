import numpy as np
import torch
from scipy import stats

from manyfields.families.octree.codebooks.indices import gumbel_noise


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
