"""Samples placed by the Triton kernel against the plain form in float64; run as `test_fused_triton.py` says."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.rendering.guided import _plain  # float64 on the CPU, where `guided_samples` would take Triton too

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip("no GPU: test_triton_interpreted.py runs these in Triton's interpreter", allow_module_level=True)
pytest.importorskip("triton")

from manyfields.rendering.guided_triton import place_samples  # noqa: E402

DEVICE = "cpu" if INTERPRETED else "cuda"
BOUNDS = torch.tensor([[[-0.5, -0.4, -0.6], [0.6, 0.5, 0.3]], [[-0.2, -0.9, -0.3], [0.3, 0.8, 0.4]]])


def some_rays(seed, count):
    generator = torch.Generator().manual_seed(seed)
    origins = torch.nn.functional.normalize(torch.randn(2, count, 3, generator=generator), dim=-1) * 2.7
    aims = 0.4 * torch.randn(2, count, 3, generator=generator)
    return origins, torch.nn.functional.normalize(aims - origins, dim=-1)


def smooth_guide(side=13):
    """A soft ball in each box, 0 from some way out: neighbouring cells differ little, so rounding moves little."""
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    square = x**2 + y**2 + z**2
    return torch.stack([8 * torch.exp(-2 * square) * (square < 0.8), 30 * torch.exp(-3 * square) * (square < 0.5)])


def place(*inputs, bins, spread):
    return [tensor.cpu() for tensor in place_samples(*(tensor.to(DEVICE) for tensor in inputs), bins, spread)]


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 18), st.sampled_from([7, 24]), st.sampled_from([0.02, 0.5]))
def test_equals_the_plain_form(seed, count, bins, spread):
    inputs = (
        *some_rays(seed, 50),
        BOUNDS,
        smooth_guide(),
        torch.rand(2, 50, count, generator=torch.Generator().manual_seed(seed)),
    )
    found = place(*inputs, bins=bins, spread=spread)
    wanted = _plain(*(tensor.double() for tensor in inputs), bins, spread)
    # A bin whose middle lies on the border of two cells may read either: such rays are few.
    same = ((found[0] - wanted[0]).abs() < 1e-4).all(-1) & ((found[1] - wanted[1]).abs() < 1e-4).all(-1)
    assert float((same & (found[2] == wanted[2])).float().mean()) > 0.95
    assert bool(wanted[2].any()) and not bool(wanted[2].all())


@pytest.mark.parametrize("offset", [0.0, 1.0 - 2**-24])
def test_samples_at_the_ends_of_their_shares_stay_in_filled_bins(offset):
    """One wall of cells, rays that start before, in and behind it, and one that runs along it."""
    guide = torch.zeros(1, 10, 10, 10)
    guide[0, 4:6] = 20.0
    starts = [(-2.0, 0.01, 0.01), (0.0, 0.01, 0.01), (0.5, 0.01, 0.01), (0.01, -2.0, 0.01)]
    toward = [(1.0, 0.0, 0.0)] * 3 + [(0.0, 1.0, 0.0)]
    bounds = torch.tensor([[[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]])
    inputs = (torch.tensor([starts]), torch.tensor([toward]), bounds, guide, torch.full((1, 4, 5), offset))
    distances, lengths, hits = place(*inputs, bins=50, spread=0.1)
    wanted = _plain(*(tensor.double() for tensor in inputs), 50, 0.1)
    assert hits.tolist() == wanted[2].tolist() == [[True, True, False, True]]
    torch.testing.assert_close(lengths.double(), wanted[1], atol=1e-4, rtol=0)
    # A first sample at offset 0 lies where the ray enters the box, in both forms.
    torch.testing.assert_close(distances.double(), wanted[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(lengths[0, :, :].sum(-1), torch.tensor([0.4, 0.2, 0.0, 2.0]), atol=1e-4, rtol=0)


def test_no_rays_are_no_error():
    origins, directions = some_rays(0, 0)
    found = place(origins, directions, BOUNDS, smooth_guide(), torch.zeros(2, 0, 4), bins=8, spread=0.1)
    assert found[0].shape == (2, 0, 4) and found[2].shape == (2, 0)
