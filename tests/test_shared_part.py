import pytest
import torch
import torch.nn.functional as functional

from manyfields.cameras import Cameras, orbit, stack
from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Codes
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

SAMPLER = Sampler(4, 3)
BOUNDS = torch.tensor([[[-0.5, -0.6, -0.4], [0.5, 0.6, 0.4]], [[-0.3, -0.3, -0.3], [0.7, 0.5, 0.4]]])


def cameras(width=32, height=24) -> Cameras:
    """Three views of each of two objects."""
    return stack([orbit(3, width=width, height=height), orbit(3, elevation=-10.0, width=width, height=height)])


def family(**changes):
    sizes = {"micro_features": 2, "macro_features": 3, "base_planes": 4, "resolution": 6, "hidden": 8, "channels": 5}
    return FusedPlanes(FusedPlanesConfig(**{**sizes, **changes}), torch.Generator().manual_seed(0))


def autoencoder(channels=5):
    torch.manual_seed(0)
    return compact_autoencoder(
        CompactConfig(channels=channels, stride=4, width=8, encoder_blocks=1, decoder_blocks=1, fine_width=4)
    )


def latent_part():
    shared = SharedPart(family(), autoencoder())
    shared.set_background()
    return shared


def rgb_part():
    return SharedPart(family(channels=3, space="rgb"), None)


@torch.no_grad()
def test_latent_pictures_have_the_size_of_latents_and_their_images_that_of_the_views():
    shared = latent_part()
    codes = shared.family.new_codes(2)
    pictures = shared.pictures(codes, cameras(), BOUNDS, SAMPLER)
    assert pictures.latents.shape == (2, 3, 5, 6, 8)
    assert pictures.opacity.shape == pictures.depth.shape == (2, 3, 6, 8)
    assert pictures.images.shape == (2, 3, 3, 24, 32)
    expected = shared.autoencoder.decode(pictures.latents[1])
    torch.testing.assert_close(pictures.images[1], expected)
    assert shared.pictures(codes, cameras(), BOUNDS, SAMPLER, decode=False).images is None


@torch.no_grad()
def test_rgb_pictures_are_what_fields_render():
    shared = rgb_part()
    pictures = shared.pictures(shared.family.new_codes(2), cameras(), BOUNDS, SAMPLER)
    assert pictures.images.shape == (2, 3, 3, 24, 32) and torch.equal(pictures.images, pictures.latents)
    assert shared.stride == 1


@torch.no_grad()
def test_views_do_not_depend_on_what_is_rendered_beside_them():
    shared = latent_part()
    codes = shared.family.new_codes(2)
    together = shared.pictures(codes, cameras(), BOUNDS, SAMPLER)
    alone = shared.pictures(codes[1], cameras()[1:][:, 2:], BOUNDS[1:], SAMPLER)
    torch.testing.assert_close(alone.latents[0, 0], together.latents[1, 2])
    torch.testing.assert_close(alone.images[0, 0], together.images[1, 2], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_rays_beside_the_object_see_the_background():
    shared = latent_part()
    shared.background.copy_(torch.arange(5.0))
    pictures = shared.pictures(shared.family.new_codes(2), cameras(), BOUNDS, SAMPLER)
    empty = pictures.opacity == 0
    assert 0.1 < empty.float().mean() < 0.9
    seen = pictures.latents.permute(0, 1, 3, 4, 2)[empty]
    assert torch.equal(seen, torch.arange(5.0).expand_as(seen))


@pytest.mark.parametrize("color", [(1.0, 1.0, 1.0), (0.2, 0.4, 0.1)])
def test_the_background_starts_at_the_latent_of_an_empty_image(color):
    shared = latent_part()
    shared.set_background(color)
    image = torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    with torch.no_grad():
        latent = shared.autoencoder.encode(image)
    torch.testing.assert_close(shared.background, latent[0, :, 0, 0], atol=1e-5, rtol=1e-4)
    rgb = rgb_part()
    rgb.set_background(color)
    assert rgb.background.tolist() == pytest.approx(color)


@torch.no_grad()
def test_level_1_renders_without_micro_planes():
    shared = latent_part()
    codes = shared.family.new_codes(2)
    first = shared.pictures(codes, cameras(), BOUNDS, SAMPLER, level=1, decode=False).latents
    codes.tensors["micro"].zero_()
    assert torch.equal(first, shared.pictures(codes, cameras(), BOUNDS, SAMPLER, decode=False).latents)


@pytest.mark.parametrize("size", [(30, 24), (32, 26)])
def test_views_that_do_not_divide_by_the_stride_are_a_config_error(size):
    shared = latent_part()
    with pytest.raises(ConfigError, match=f"views of {size[0]}x{size[1]} do not divide by the stride 4"):
        shared.pictures(shared.family.new_codes(2), cameras(*size), BOUNDS, SAMPLER)


def test_parts_that_do_not_fit_are_config_errors():
    with pytest.raises(ConfigError, match="needs an autoencoder"):
        SharedPart(family(), None)
    with pytest.raises(ConfigError, match="has no autoencoder"):
        SharedPart(family(channels=3, space="rgb"), autoencoder(3))
    with pytest.raises(ConfigError, match="5 channels do not fit an autoencoder with 4"):
        SharedPart(family(), autoencoder(4))


def hull_part():
    """RGB space, planes that span boxes, and hulls that differ from object to object and cut something away."""
    shared = SharedPart(family(channels=3, space="rgb", span="box", hull=6, activation="relu"), None)
    codes = shared.family.new_codes(2, torch.Generator().manual_seed(1))
    codes.tensors["hull"][0, :, :, 3:] = 0
    codes.tensors["hull"][1, :2] = 0
    return shared, codes


@torch.no_grad()
@pytest.mark.parametrize("with_hull", [False, True])
def test_supersampled_pictures_are_means_of_pictures_twice_as_fine(with_hull):
    shared, codes = hull_part() if with_hull else (rgb_part(), None)
    shared.background.copy_(torch.tensor([1.0, 0.5, 0.0]))
    codes = codes or shared.family.new_codes(2, torch.Generator().manual_seed(1))
    pictures = shared.pictures(codes, cameras(), BOUNDS, Sampler(4, 3, supersampling=2))
    fine = shared.pictures(codes, cameras().resized(64, 48), BOUNDS, SAMPLER)
    assert pictures.images.shape == (2, 3, 3, 24, 32) and torch.equal(pictures.images, pictures.latents)
    opacity = functional.avg_pool2d(fine.opacity, 2)
    torch.testing.assert_close(pictures.opacity, opacity)
    torch.testing.assert_close(pictures.images[1], functional.avg_pool2d(fine.images[1], 2))
    torch.testing.assert_close(pictures.images[0], functional.avg_pool2d(fine.images[0], 2))
    depth = functional.avg_pool2d(fine.depth * fine.opacity, 2) / opacity
    assert bool(((opacity == 0) | (pictures.depth > 1)).all()) and not pictures.depth[opacity == 0].any()
    torch.testing.assert_close(pictures.depth[opacity > 1e-3], depth[opacity > 1e-3])


@torch.no_grad()
def test_latent_pictures_are_never_supersampled():
    shared = latent_part()
    codes = shared.family.new_codes(2, torch.Generator().manual_seed(1))
    one = shared.pictures(codes, cameras(), BOUNDS, SAMPLER, decode=False)
    other = shared.pictures(codes, cameras(), BOUNDS, Sampler(4, 3, supersampling=2), decode=False)
    assert torch.equal(one.latents, other.latents) and torch.equal(one.depth, other.depth)


@torch.no_grad()
def test_an_occupancy_made_once_gives_the_same_pictures():
    shared, codes = hull_part()
    guide, occupancy = shared.guide(codes, BOUNDS), shared.occupancy(codes, BOUNDS)
    assert guide.shape == (2, 6, 6, 6) and torch.equal(guide > 0, codes.tensors["hull"] > 0)
    assert not ((occupancy.leaps == 0) & (guide == 0)).any()
    given = shared.pictures(codes, cameras(), BOUNDS, SAMPLER, guide=occupancy)
    made = shared.pictures(codes, cameras(), BOUNDS, SAMPLER)
    assert torch.equal(given.images, made.images) and torch.equal(given.depth, made.depth)
    empty = shared.pictures(codes, cameras(), BOUNDS, SAMPLER, guide=torch.zeros_like(guide))
    assert made.opacity.max() > 0.1 and not empty.opacity.any()


def test_families_without_hulls_have_no_guide():
    shared = rgb_part()
    assert shared.guide(shared.family.new_codes(2), BOUNDS) is None


@torch.no_grad()
def test_level_1_knows_no_hull_and_level_2_does():
    shared, codes = hull_part()
    full = Codes({**codes.tensors, "hull": torch.ones_like(codes.tensors["hull"])})
    for level, heeds in ((1, False), (2, True), (3, True), (None, True)):
        seen, free = (shared.pictures(some, cameras(), BOUNDS, SAMPLER, level=level) for some in (codes, full))
        assert torch.equal(seen.images, free.images) != heeds, level
        hull = shared.guide(codes, BOUNDS, level)
        assert torch.equal(hull > 0, codes.tensors["hull"] > 0) == heeds, level
    # An object without its hull is rendered beside others as if none had one.
    mixed = shared.pictures(codes, cameras(), BOUNDS, SAMPLER, level=torch.tensor([1, 3]))
    torch.testing.assert_close(mixed.images[0], shared.pictures(codes, cameras(), BOUNDS, SAMPLER, level=1).images[0])
