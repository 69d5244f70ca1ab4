"""What a step sees: fair, repeatable, and never a held-out view."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.fitting.bounds import MARGIN, box_from_silhouettes
from manyfields.fitting.data import FittingData, image_size, load_object, load_views, rows_of_step, stable_seed
from manyfields.fitting.pixel_pool import pixels_to_draw
from manyfields.fitting.visual_hull import pixels_inside, visual_hull
from manyfields.views import composite, hold_out


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 23), per_step=st.integers(1, 9), seed=st.integers(0, 5), first=st.integers(0, 4))
def test_a_round_visits_every_object_and_a_step_has_none_twice(count, per_step, seed, first):
    steps = -(-count // min(per_step, count))
    visited = [rows_of_step(count, per_step, first * steps + step, seed) for step in range(steps)]
    assert all(len(set(rows)) == len(rows) == min(per_step, count) for rows in visited)
    assert {row for rows in visited for row in rows} == set(range(count))


def test_rounds_differ_and_are_repeatable():
    rounds = [[rows_of_step(12, 4, 3 * number + step, 0) for step in range(3)] for number in range(3)]
    assert rounds[0] != rounds[1] != rounds[2]
    assert rounds[1] == [rows_of_step(12, 4, 3 + step, 0) for step in range(3)]
    assert rounds[0] != [rows_of_step(12, 4, step, 1) for step in range(3)]


def test_stable_seed_is_the_same_in_every_process():
    assert stable_seed(0, "joint", 7) == 8310119662120907
    assert stable_seed(0, "joint", 7) != stable_seed(0, "joint", 8)


def test_draw_is_a_function_of_its_generator(tiny_views):
    data = FittingData([load_object(views, (16, 16), seed=0) for views in tiny_views])
    one, two, other = (data.draw([0, 2], 3, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.cameras.camera_to_world, two.cameras.camera_to_world)
    assert not torch.equal(one.images, other.images)
    assert one.images.shape == (2, 3, 3, 16, 16) and one.cameras.shape == (2, 3) and one.rows.tolist() == [0, 2]


def test_cameras_of_a_batch_belong_to_its_images(tiny_views):
    data = FittingData([load_object(views, (16, 16), seed=0) for views in tiny_views])
    batch = data.draw([1], 4, torch.Generator().manual_seed(0))
    poses = tiny_views[1].cameras.camera_to_world
    for view in range(4):
        index = int((poses - batch.cameras.camera_to_world[0, view]).abs().sum((1, 2)).argmin())
        expected = composite(tiny_views[1].images([index]))[0]
        assert torch.equal(batch.images[0, view], torch.from_numpy(expected).permute(2, 0, 1))


def test_held_out_views_are_never_drawn(tiny_views):
    data = FittingData([load_object(views, (16, 16), seed=3, fraction=0.4) for views in tiny_views])
    for row, views in enumerate(tiny_views):
        train, test = hold_out(views.names, views.id, seed=3, fraction=0.4)
        assert data.objects[row].held_out == [views.names[index] for index in test] and len(test) == 3
        seen = {
            tuple(pose.flatten().tolist())
            for seed in range(12)
            for pose in data.draw([row], 4, torch.Generator().manual_seed(seed)).cameras.camera_to_world[0]
        }
        expected = views.cameras.camera_to_world
        assert seen == {tuple(expected[index].flatten().tolist()) for index in train}


def test_an_object_with_few_views_limits_a_step(tiny_views):
    poor = tiny_views[0].subset([0, 1, 2])
    data = FittingData([load_object(views, (16, 16), seed=0) for views in (poor, tiny_views[1])])
    assert data.draw([0, 1], 4, torch.Generator()).images.shape[1] == 2
    assert data.draw([1], 4, torch.Generator()).images.shape[1] == 4


def test_resizing_keeps_the_field_of_view(tiny_views):
    views = tiny_views[0]
    _, small = load_views(views, [0, 3], (8, 8))
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]]).expand(2, 3, 2)
    big = views.cameras[[0, 3]]
    torch.testing.assert_close(small.rays_through(corners * 8).directions, big.rays_through(corners * 16).directions)


def test_transparent_colours_do_not_bleed_into_a_resized_image(tiny_views):
    image = np.zeros((16, 16, 4), np.uint8)
    image[..., 1] = 255  # bright green, but nothing of it is opaque
    image[4:12, 4:12] = (200, 0, 0, 255)
    views = replace(tiny_views[0])
    object.__setattr__(views, "images", lambda indices: image[None])
    resized, _ = load_views(views, [0], (10, 10))
    opaque = resized[0][resized[0][..., 3] > 8].int()
    assert len(opaque) and opaque[:, 1].max() <= 8 and opaque[:, 0].min() >= 150


def test_a_set_is_brought_to_its_commonest_size_rounded_to_the_stride(tiny_views):
    big = replace(tiny_views[0], cameras=tiny_views[0].cameras.resized(30, 20))
    assert image_size([big, tiny_views[1], tiny_views[2]], 8) == (16, 16)
    assert image_size([big, big, tiny_views[2]], 8) == (32, 16)
    assert image_size([replace(big, cameras=big.cameras.resized(3, 3))], 8) == (8, 8)


@pytest.mark.parametrize("half", [False, True])
def test_cached_latents_are_those_of_each_view(make_fitter, half):
    fitter = make_fitter()
    fitter.data.cache_latents(fitter.shared.autoencoder, half)
    batch = fitter.data.draw([0, 1], 2, torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = fitter.shared.autoencoder.encode(batch.images.flatten(0, 1) / 255.0)
    torch.testing.assert_close(batch.latents.flatten(0, 1), expected, atol=0.05 if half else 4e-3, rtol=0.02)


WIDE = (20, 12)  # width, height


def numbered(views_of_set, hull: int) -> FittingData:
    """Objects whose pixels hold (view, row, column) in the place of colours."""
    data = FittingData([load_object(views, WIDE, seed=0, hull=hull) for views in views_of_set])
    for item in data.objects:
        count, _, height, width = item.images.shape
        places = torch.meshgrid(*(torch.arange(size) for size in (count, height, width)), indexing="ij")
        item.images = torch.stack(places, 1).to(torch.uint8)
    return data


@pytest.mark.parametrize("hull", [0, 8])
def test_colours_of_the_pool_are_those_of_the_pixels_that_rays_go_through(tiny_views, hull):
    data = numbered(tiny_views, hull)
    rays, colors, _ = data.pool.draw(torch.tensor([2, 0]), 400, torch.Generator().manual_seed(0))
    assert rays.origins.shape == rays.directions.shape == colors.shape == (2, 400, 3)
    for number, row in enumerate([2, 0]):
        cameras = data.objects[row].cameras
        view, y, x = (colors[number] * 255).round().long().unbind(-1)
        assert view.unique().tolist() == list(range(len(cameras)))
        whole = cameras.rays()
        pixel = y * cameras.width + x
        torch.testing.assert_close(rays.origins[number], whole.origins[view, pixel])
        torch.testing.assert_close(rays.directions[number], whole.directions[view, pixel])


def test_pixels_are_drawn_inside_where_that_is_known_and_else_everywhere_alike(tiny_views):
    drawn = {}
    for hull in (0, 8):
        data = numbered(tiny_views, hull)
        _, colors, weights = data.pool.draw(torch.tensor([0]), 20_000, torch.Generator().manual_seed(1))
        view, y, x = (colors[0] * 255).round().long().unbind(-1)
        drawn[hull] = set(((view * WIDE[1] + y) * WIDE[0] + x).tolist())
        assert bool((weights == 1).all()) == (hull == 0)  # without a hull, edges are not drawn more often
    rgba, _ = load_views(tiny_views[0], data.objects[0].train, WIDE)
    inside = set(pixels_inside(rgba[..., 3]).tolist())
    everywhere = WIDE[0] * WIDE[1] * len(data.objects[0].images)
    assert len(inside) < 0.9 * everywhere
    assert drawn[8] <= inside and len(drawn[8]) > 0.9 * len(inside)
    assert len(drawn[0]) > 0.9 * everywhere


def test_the_pool_is_made_once_and_holds_the_images_of_the_objects(tiny_views):
    data = FittingData([load_object(views, (16, 16), seed=0, hull=8) for views in tiny_views])
    before = [item.images.clone() for item in data.objects]
    pool = data.pool
    assert data.pool is pool and len(pool.images) == data.views
    first = 0
    for item, images in zip(data.objects, before, strict=True):
        assert torch.equal(item.images, images)
        assert item.images.data_ptr() == pool.images[first].data_ptr()  # not kept twice
        first += len(images)


def test_an_object_loaded_with_a_hull_has_a_tight_box(tiny_views):
    views = tiny_views[1]
    plain, item = load_object(views, (16, 16), seed=0), load_object(views, (16, 16), seed=0, hull=10)
    assert plain.hull is None and plain.pixels is None
    rgba, cameras = load_views(views, item.train, (16, 16))
    alpha = rgba[..., 3]
    assert torch.equal(item.bounds, box_from_silhouettes(alpha, cameras, margin=0.0))
    assert torch.equal(item.hull, visual_hull(alpha, cameras, item.bounds, 10))
    numbers, copies = pixels_to_draw(item.images, pixels_inside(alpha))
    assert torch.equal(item.pixels[0], numbers) and torch.equal(item.pixels[1], copies)
    wider = torch.stack([item.bounds[0] - MARGIN, item.bounds[1] + MARGIN]).clamp(-1, 1)
    torch.testing.assert_close(plain.bounds, wider)
    assert not torch.equal(plain.bounds, item.bounds)
    assert torch.equal(plain.images, item.images) and plain.train == item.train


def test_objects_can_be_pooled_again(tiny_views):
    """A pilot and the fit after it look at the same objects: both draw the same pixels."""
    objects = [load_object(views, (16, 16), seed=0, hull=8) for views in tiny_views]
    drawn = []
    for _ in range(2):
        pool = FittingData(objects).pool
        drawn.append(pool.draw(torch.tensor([2, 0]), 50, torch.Generator().manual_seed(4)))
    assert torch.equal(drawn[0][1], drawn[1][1]) and torch.equal(drawn[0][2], drawn[1][2])
    assert torch.equal(drawn[0][0].directions, drawn[1][0].directions)
    assert len(set(drawn[0][2].flatten().tolist())) > 1
