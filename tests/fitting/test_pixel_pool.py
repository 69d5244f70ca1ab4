"""Pixels drawn more often at edges: still the mean over all, and rays and colours of the pixels that are meant."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.cameras import orbit
from manyfields.fitting.pixel_pool import VIEWS_AT_ONCE, PixelPool, pixels_to_draw

HEIGHT, WIDTH = 6, 8
SHAPES = ((3, 1), (2, 0), (9, 2))  # views of three objects, and the seeds of their images


def some_images(views: int, seed: int) -> torch.Tensor:
    """Plain surfaces and edges: blocks of colours, some of which are the same."""
    blocks = torch.randint(4, (views, 3, 2, 3), generator=torch.Generator().manual_seed(seed))
    return (80 * blocks).repeat_interleave(3, 2).repeat_interleave(3, 3)[..., :WIDTH].to(torch.uint8)


def slow_copies(images: np.ndarray, at_edges: int) -> dict[int, int]:
    """Number of a pixel -> how often it is in the pool, pixel by pixel."""
    copies = {}
    for view, row, column in np.ndindex(len(images), HEIGHT, WIDTH):
        rows = slice(max(row - 1, 0), row + 2)
        around = images[view, :, rows, max(column - 1, 0) : column + 2].astype(float)
        contrast = max(float(channel.max() - channel.min()) for channel in around) / 255
        copies[(view * HEIGHT + row) * WIDTH + column] = round(1 + at_edges * contrast)
    return copies


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, VIEWS_AT_ONCE + 2), st.sampled_from([0, 4, 10]), st.integers(0, 99), st.none() | st.integers(1, 20)
)
def test_copies_follow_the_contrast(views, at_edges, seed, inside):
    images = some_images(views, seed)
    pixels = None
    if inside is not None:
        order = torch.randperm(views * HEIGHT * WIDTH, generator=torch.Generator().manual_seed(seed))
        pixels = order[:inside].sort().values.to(torch.int32)
    numbers, copies = pixels_to_draw(images, pixels, at_edges)
    expected = slow_copies(images.numpy(), at_edges)
    allowed = range(views * HEIGHT * WIDTH) if pixels is None else pixels.tolist()
    assert numbers.tolist() == [number for number in allowed for _ in range(expected[number])]
    assert copies.tolist() == [expected[number] for number in numbers.tolist()]
    assert numbers.dtype == torch.int32 and copies.dtype == torch.uint8


def test_plain_surfaces_are_there_once_and_full_contrast_eleven_times():
    images = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    images[:, 1, :, 5:] = 255
    numbers, _ = pixels_to_draw(images)
    often = numbers.bincount().view(HEIGHT, WIDTH)
    assert often[0].tolist() == [1, 1, 1, 1, 11, 11, 1, 1] and bool((often == often[0]).all())


def some_cameras(views: int, seed: int):
    return orbit(views, elevation=10.0 + seed, width=WIDTH, height=HEIGHT)


def some_pool(at_edges: int = 10) -> tuple[PixelPool, list, list]:
    images = [some_images(views, seed) for views, seed in SHAPES]
    cameras = [some_cameras(views, seed) for views, seed in SHAPES]
    # The second object: only some of its pixels.
    inside = [None, torch.arange(7, 60, 2, dtype=torch.int32), None]
    drawn = [pixels_to_draw(*pair, at_edges) for pair in zip(images, inside, strict=True)]
    numbers, copies = ([pair[which] for pair in drawn] for which in (0, 1))
    return PixelPool(images, cameras, numbers, copies), drawn, cameras


ROWS = torch.tensor([2, 0, 1])


def test_rays_and_colours_are_those_of_pixels_of_the_objects_asked_for():
    pool, drawn, cameras = some_pool()
    rays, colors, weights = pool.draw(ROWS, 300, torch.Generator().manual_seed(0))
    assert rays.origins.shape == rays.directions.shape == colors.shape == (3, 300, 3) and weights.shape == (3, 300)
    assert colors.dtype == weights.dtype == torch.float32
    for place, row in enumerate(ROWS.tolist()):
        whole = cameras[row].rays()
        images = some_images(*SHAPES[row])
        # The pixel of a ray: that of this object whose ray it is.
        offsets = (rays.directions[place, :, None, None] - whole.directions).abs().sum(-1)
        offsets += (rays.origins[place, :, None, None] - whole.origins).abs().sum(-1)
        least, number = offsets.flatten(1).min(1)
        assert float(least.max()) < 1e-5
        expected = images.permute(0, 2, 3, 1).reshape(-1, 3)[number].float() / 255
        assert torch.equal(colors[place], expected)
        assert set(number.tolist()) <= set(drawn[row][0].tolist())
        view, pixel = number // (HEIGHT * WIDTH), number % (HEIGHT * WIDTH)
        corners = torch.stack([pixel % WIDTH, pixel // WIDTH], -1) + 0.5
        same = cameras[row].rays_of(view, corners)
        torch.testing.assert_close(rays.origins[place], same.origins)
        torch.testing.assert_close(rays.directions[place], same.directions)
        # Weights are in inverse proportion to how often a pixel is there.
        often = drawn[row][0].bincount()[number]
        torch.testing.assert_close(weights[place] * often, (weights[place] * often)[:1].expand(300))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2), st.sampled_from([0, 10]), st.integers(0, 99))
def test_the_weighted_mean_over_what_can_be_drawn_is_the_mean_over_pixels(row, at_edges, seed):
    """No draw: every place of the pool once, as often as the drawing picks it on average."""
    pool, drawn, _ = some_pool(at_edges)
    numbers, copies = drawn[row]
    values = torch.rand(len(pool.images) * HEIGHT * WIDTH, generator=torch.Generator().manual_seed(seed)).double()
    weights = pool._scale[row].double() / copies.double()
    pixels = numbers.unique().long()
    torch.testing.assert_close((weights * values[numbers.long()]).mean(), values[pixels].mean(), rtol=1e-5, atol=0)
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0).double(), rtol=1e-5, atol=0)


def test_the_mean_of_many_weighted_draws_nears_the_mean_over_pixels():
    pool, drawn, _ = some_pool()
    _, colors, weights = pool.draw(ROWS, 40_000, torch.Generator().manual_seed(1))
    biased = 0.0
    for place, row in enumerate(ROWS.tolist()):
        images = some_images(*SHAPES[row]).permute(0, 2, 3, 1).reshape(-1, 3).float() / 255
        expected = images[drawn[row][0].unique().long()].square().mean(0)
        found = (weights[place, :, None] * colors[place].square()).mean(0)
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
        assert float(weights[place].mean()) == pytest.approx(1.0, abs=0.02)
        biased = max(biased, float((colors[place].square().mean(0) - expected).abs().max()))
    assert biased > 0.02  # without the weights it would be another mean


def test_every_place_of_the_pool_is_drawn_as_often_as_any_other():
    pool, drawn, cameras = some_pool()
    rays, _, _ = pool.draw(torch.tensor([1]), 60_000, torch.Generator().manual_seed(2))
    whole = cameras[1].rays().directions.flatten(0, 1)
    number = torch.cdist(rays.directions[0].double(), whole.double()).argmin(1)
    found = number.bincount(minlength=2 * HEIGHT * WIDTH) / 60_000
    expected = drawn[1][0].bincount(minlength=2 * HEIGHT * WIDTH) / len(drawn[1][0])
    assert float((found - expected).abs().max()) < 0.004


def test_draws_are_a_function_of_the_generator():
    pool, _, _ = some_pool()
    one, two, other = (pool.draw(ROWS, 50, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    assert torch.equal(one[0].directions, two[0].directions) and torch.equal(one[1], two[1])
    assert torch.equal(one[2], two[2]) and not torch.equal(one[0].directions, other[0].directions)


def test_a_pool_holds_the_images_and_cameras_of_all():
    pool, _, cameras = some_pool()
    assert torch.equal(pool.images, torch.cat([some_images(*shape) for shape in SHAPES]))
    assert torch.equal(pool.cameras.camera_to_world, torch.cat([each.camera_to_world for each in cameras]))
    assert len(pool.cameras) == 14 and (pool.cameras.width, pool.cameras.height) == (WIDTH, HEIGHT)


def test_colours_on_a_background_are_those_of_straight_alpha():
    """`images` are on white: what they would be on another colour follows from their alpha."""
    generator = torch.Generator().manual_seed(3)
    straight = torch.rand(4, 3, HEIGHT, WIDTH, generator=generator)
    alpha = torch.randint(256, (4, HEIGHT, WIDTH), generator=generator).to(torch.uint8)
    share = alpha[:, None] / 255.0
    images = (255 * (straight * share + 1.0 - share)).round().to(torch.uint8)
    numbers, copies = pixels_to_draw(images, at_edges=0)
    pool = PixelPool([images], [some_cameras(4, 0)], [numbers], [copies], [alpha])
    behind = torch.tensor([0.2, 0.9, 0.0])
    _, on_white, _ = pool.draw(torch.tensor([0]), 400, torch.Generator().manual_seed(1))
    _, colors, _ = pool.draw(torch.tensor([0]), 400, torch.Generator().manual_seed(1), behind)
    true = (straight * share + behind.view(3, 1, 1) * (1.0 - share)).permute(0, 2, 3, 1).reshape(-1, 3)
    white = (images / 255.0).permute(0, 2, 3, 1).reshape(-1, 3)
    # Which pixels were drawn shows in their colours on white.
    drawn = (white[None] - on_white[0][:, None]).abs().amax(-1).argmin(-1)
    torch.testing.assert_close(colors[0], true[drawn], atol=0.5 / 255 + 1e-5, rtol=0)


def test_pixels_of_which_one_object_has_no_alpha_are_on_white_alone():
    pool, _, _ = some_pool()
    assert pool.alpha is None
    with pytest.raises(ValueError, match="on white alone"):
        pool.draw(ROWS, 5, torch.Generator(), torch.zeros(3))
