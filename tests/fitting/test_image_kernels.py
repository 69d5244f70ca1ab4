"""Contrast, grown silhouettes and hulls: the compiled forms equal the plain ones."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.cameras import orbit
from manyfields.compiled import plain_only
from manyfields.fitting.pixel_pool import pixels_to_draw
from manyfields.fitting.visual_hull import pixels_inside, visual_hull

pytest.importorskip("numba")


def both_forms(function):
    found = []
    for form in (nullcontext, plain_only):
        with form():
            found.append(function())
    return found


sizes = st.tuples(st.integers(1, 11), st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0, 99), st.booleans())
def test_contrast(size, seed, strewn):
    views, height, width = size
    images = torch.randint(256, (views, 3, height, width), generator=torch.Generator().manual_seed(seed))
    images = (images // 85 * 85).to(torch.uint8)
    if strewn:
        images = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    compiled, plain = both_forms(lambda: pixels_to_draw(images))
    assert torch.equal(compiled[0], plain[0]) and torch.equal(compiled[1], plain[1])


def some_alpha(size: tuple[int, int, int], seed: int) -> torch.Tensor:
    """Few filled pixels, some of them so faint that they do not count, as the last of four channels."""
    generator = torch.Generator().manual_seed(seed)
    alpha = (torch.rand(*size, 4, generator=generator) < 0.1) * torch.randint(256, (*size, 4), generator=generator)
    alpha[..., :2, :, :] = torch.randint(8, alpha[..., :2, :, :].shape, generator=generator)
    return alpha.to(torch.uint8)[..., 3]


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0, 99))
def test_grown_silhouettes(size, seed):
    alpha = some_alpha(size, seed)
    compiled, plain = both_forms(lambda: pixels_inside(alpha))
    assert (compiled is None) == (plain is None)
    assert compiled is None or torch.equal(compiled, plain)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(1, 13), st.integers(0, 99))
def test_hulls(views, side, seed):
    cameras = orbit(views, radius=1.5 + 0.1 * (seed % 5), elevation=float(seed % 60), width=31, height=24)
    alpha = torch.zeros(views, 24, 31, dtype=torch.uint8)
    alpha[:, 5:19, 4 + seed % 9 : 27] = 255
    generator = torch.Generator().manual_seed(seed)
    bounds = torch.stack(
        [-0.3 - 0.7 * torch.rand(3, generator=generator), 0.3 + 0.7 * torch.rand(3, generator=generator)]
    )
    compiled, plain = both_forms(lambda: visual_hull(alpha, cameras, bounds, side))
    # A cell whose centre falls on the border of two pixels may be judged by either.
    assert int((compiled != plain).sum()) <= 0.005 * side**3
    assert side < 4 or 0 < float(compiled.float().mean()) < 1
