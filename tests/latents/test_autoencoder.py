import copy

import pytest
import torch

from manyfields.latents.compact import CompactConfig, compact_autoencoder

TINY = CompactConfig(channels=5, stride=4, width=8, encoder_blocks=1, decoder_blocks=1, fine_width=4)


def images(count=3, height=16, width=24, seed=0):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    return compact_autoencoder(TINY)


def test_shapes(autoencoder):
    latents = autoencoder.encode(images())
    assert latents.shape == (3, 5, 4, 6)
    assert autoencoder.decode(latents).shape == (3, 3, 16, 24)


def test_whitened_latents_have_zero_mean_and_unit_deviation_per_channel(autoencoder):
    raw = autoencoder.encode(images())
    assert not torch.allclose(raw.std((0, 2, 3)), torch.ones(5), atol=0.1)
    autoencoder.needs_whitening = True
    autoencoder.whiten(images())
    assert not autoencoder.needs_whitening
    latents = autoencoder.encode(images())
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(5), atol=5e-3, rtol=0)


def test_whitening_changes_latents_not_pictures(autoencoder):
    before = autoencoder.decode(autoencoder.encode(images()))
    autoencoder.whiten(images(seed=1))
    torch.testing.assert_close(autoencoder.decode(autoencoder.encode(images())), before, atol=1e-5, rtol=1e-4)


def test_batch_statistics_whiten_by_the_batch_and_move_the_stored_ones_by_2_percent(autoencoder):
    raw = autoencoder.encoder(images())
    mean, std = raw.mean((0, 2, 3)), raw.std((0, 2, 3))
    latents = autoencoder.encode(images(), batch_statistics=True)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(autoencoder.mean, 0.02 * mean)
    torch.testing.assert_close(autoencoder.std, 0.98 + 0.02 * (std + 1e-4))


def test_batch_statistics_make_a_latent_loss_blind_to_shrinking(autoencoder):
    first = autoencoder.encode(images(), batch_statistics=True)
    with torch.no_grad():
        autoencoder.encoder.last.weight.mul_(0.5)
        autoencoder.encoder.last.bias.mul_(0.5)
    torch.testing.assert_close(autoencoder.encode(images(), batch_statistics=True), first, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("size", [(15, 24), (16, 22)])
def test_images_that_do_not_divide_by_the_stride_are_an_error(autoencoder, size):
    with pytest.raises(ValueError, match=f"images of \\({size[0]}, {size[1]}\\) do not divide by the stride 4"):
        autoencoder.encode(images(height=size[0], width=size[1]))


def test_statistics_are_stored_and_not_trained(autoencoder):
    autoencoder.whiten(images())
    assert {"mean", "std"} <= set(autoencoder.state_dict())
    assert {"mean", "std"}.isdisjoint(name for name, _ in autoencoder.named_parameters())
    copied = copy.deepcopy(autoencoder)
    assert torch.equal(copied.encode(images()), autoencoder.encode(images()))


def test_an_empty_background_has_one_latent_up_to_the_rim(autoencoder):
    with torch.no_grad():  # new blocks are the identity, which has no rim
        for block in autoencoder.encoder.blocks:
            block.second.weight.normal_(0, 0.3)
    for shade in (1.0, 0.3):
        latents = autoencoder.encode(torch.full((1, 3, 32, 32), shade))
        torch.testing.assert_close(latents, latents[..., 4:5, 4:5].expand_as(latents), atol=1e-5, rtol=1e-4)
