import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from manyfields.errors import ConfigError
from manyfields.latents.compact import Block, CompactConfig, compact_autoencoder


def flops(run) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


def test_the_decoder_works_mostly_at_latent_resolution():
    decoder = compact_autoencoder().decoder
    latents = torch.zeros(1, 16, 4, 4)
    at_latent_resolution = flops(lambda: decoder.widen(decoder.blocks(decoder.first(latents))))
    share = at_latent_resolution / flops(lambda: decoder(latents))
    assert 0.7 < share < 1
    # Nothing is computed at the resolution of the image itself: the finest convolution runs at twice the latent's.
    assert decoder.last.out_channels == 3 * 4**2


def test_decoding_takes_a_tenth_of_the_operations_of_taesd():
    # TAESD's decoder (16 channels), counted the same way, takes 34.5 million a latent pixel.
    decoder = compact_autoencoder().decoder
    per_pixel = flops(lambda: decoder(torch.zeros(1, 16, 8, 8))) / 64
    assert per_pixel < 3.45e6


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_blocks_start_as_the_identity_and_can_leave_it(padding):
    torch.manual_seed(0)
    block = Block(6, padding)
    x = torch.randn(2, 6, 5, 5)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.second.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("stride", "channels"), [(2, 4), (4, 3), (8, 16), (16, 8)])
def test_strides_and_channels_are_configurable(stride, channels):
    config = CompactConfig(channels=channels, stride=stride, width=8, encoder_blocks=1, decoder_blocks=1, fine_width=4)
    autoencoder = compact_autoencoder(config)
    images = torch.rand(2, 3, 32, 16)
    latents = autoencoder.encode(images)
    assert latents.shape == (2, channels, 32 // stride, 16 // stride)
    assert autoencoder.decode(latents).shape == images.shape


def test_pixels_stay_where_they_are():
    # A latent pixel decodes to its own part of the image, within the reach of the convolutions.
    torch.manual_seed(0)
    config = CompactConfig(channels=2, stride=4, width=8, encoder_blocks=0, decoder_blocks=0, fine_width=4)
    autoencoder = compact_autoencoder(config)
    latents = torch.zeros(1, 2, 12, 12)
    changed = latents.clone()
    changed[0, :, 3, 8] = 1
    difference = (autoencoder.decode(changed) - autoencoder.decode(latents)).abs().sum((0, 1))
    rows, columns = difference.nonzero(as_tuple=True)
    assert 4 * 1 <= rows.min() <= 12 and 15 <= rows.max() < 4 * 6
    assert 4 * 6 <= columns.min() <= 32 and 35 <= columns.max() < 4 * 11


@pytest.mark.parametrize(
    "sizes", [{"stride": 6}, {"stride": 1}, {"stride": 0}, {"width": 0}, {"channels": -1}, {"decoder_blocks": -1}]
)
def test_sizes_that_make_no_sense_are_config_errors(sizes):
    with pytest.raises(ConfigError, match="autoencoder"):
        CompactConfig(**sizes)
