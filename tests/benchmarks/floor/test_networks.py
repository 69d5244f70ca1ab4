"""Networks are counted as PyTorch does, without computing anything."""

import torch
from torch import nn

from benchmarks.floor import networks
from manyfields.latents.compact import CompactConfig, CompactDecoder


def test_a_network_is_counted_without_its_weights(counted):
    config = CompactConfig(channels=4, stride=4, width=8, encoder_blocks=1, decoder_blocks=1, fine_width=4)
    found = networks.count_network("small", CompactDecoder(config), 1, 4, 6, 6)
    images = torch.rand(1, 4, 6, 6, requires_grad=True)
    decoder = CompactDecoder(config)
    forward = counted(lambda: decoder(images))
    assert found.forward == forward
    assert found.forward + found.backward == counted(lambda: decoder(images).sum().backward())
    assert found.parameters == sum(each.numel() for each in decoder.parameters())

    conv = networks.count_network("one", nn.Sequential(nn.Conv2d(2, 3, 1, bias=False)), 1, 2, 4, 4)
    assert conv.forward == 2 * 2 * 3 * 16 and conv.activations == 2 * (2 + 3) * 16
    whole, half = (networks.through(conv, "x", 3, back) for back in (1.0, 0.5))
    assert whole.halves == 3 * conv.forward and half.halves == 2 * conv.forward
    assert whole.moved == 3 * (160 + 2 * 6 / 3)
