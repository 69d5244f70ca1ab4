import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.fields.compositing import compositing_weights, stretch_lengths

few = settings(max_examples=25, deadline=None)


@few
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_weights_equal_the_products_of_the_definition(seed, count):
    rng = np.random.default_rng(seed)
    density = rng.exponential(5, (2, 3, count))
    lengths = rng.uniform(0, 0.5, (2, 3, count))
    weights = compositing_weights(torch.from_numpy(density), torch.from_numpy(lengths)).numpy()
    for b, r in np.ndindex(2, 3):
        passed = 1.0
        for s in range(count):
            alpha = 1 - math.exp(-density[b, r, s] * lengths[b, r, s])
            assert abs(weights[b, r, s] - passed * alpha) < 1e-9
            passed *= 1 - alpha
        assert abs(weights[b, r].sum() - (1 - passed)) < 1e-9


def test_a_wall_hides_what_is_behind_it_and_gradients_stay_finite():
    density = torch.tensor([[[0.0, 1e6, 1e6, 3.0]]], requires_grad=True)
    weights = compositing_weights(density, torch.full((1, 1, 4), 0.1))
    torch.testing.assert_close(weights, torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]))
    weights.square().sum().backward()
    assert torch.isfinite(density.grad).all()


@few
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_stretches_tile_the_ray_and_hold_their_samples(seed, count):
    rng = np.random.default_rng(seed)
    near, far = torch.tensor([[0.5]], dtype=torch.float64), torch.tensor([[2.0]], dtype=torch.float64)
    distances = torch.from_numpy(np.sort(rng.uniform(0.5, 2.0, (1, 1, count)), -1))
    lengths = stretch_lengths(distances, near, far)
    torch.testing.assert_close(lengths.sum(-1), far - near)
    ends = near[..., None] + lengths.cumsum(-1)
    assert (ends - lengths <= distances + 1e-12).all() and (distances <= ends + 1e-12).all()
    if count > 1:
        torch.testing.assert_close(ends[..., :-1], 0.5 * (distances[..., 1:] + distances[..., :-1]))
