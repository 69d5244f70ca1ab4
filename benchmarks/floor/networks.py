"""What an image costs on its way through an image decoder or encoder, counted without computing anything."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.floor.parts import Part

HALF = 2  # bytes: images inside these networks are bf16


@dataclass(frozen=True)
class Network:
    """One image through a network: FLOP forward and backward, bytes of activations, parameters."""

    name: str
    forward: float
    backward: float
    activations: float
    parameters: int


def count_network(name: str, module: nn.Module, *shape: int) -> Network:
    """Matrix products and convolutions by PyTorch's own counter, on the meta device: nothing is computed."""
    module = module.to("meta")
    moved = 0.0

    def note(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal moved
        moved += HALF * (inputs[0].numel() + output.numel())

    hooks = [each.register_forward_hook(note) for each in module.modules() if isinstance(each, (nn.Conv2d, nn.Linear))]
    counter = FlopCounterMode(display=False)
    with counter:
        seen = module(torch.zeros(shape, device="meta", requires_grad=True))
        forward = counter.get_total_flops()
        seen.sum().backward()
    for hook in hooks:
        hook.remove()
    parameters = sum(each.numel() for each in module.parameters())
    return Network(name, forward, counter.get_total_flops() - forward, moved, parameters)


def through(network: Network, name: str, sharing: int, back: float) -> Part:
    """One image through a network; its weights are read for `sharing` images together.

    `back`: 0 without gradients, 0.5 with those of the image alone, 1 with those of the network too. The whole backward
    pass reads and writes what the forward pass did, twice.
    """
    read = network.activations + HALF * network.parameters / sharing
    return Part(name, halves=network.forward + back * network.backward, moved=(1 + 2 * back) * read)


def compact_networks() -> tuple[Network, Network]:
    """Image decoder and encoder of ours at 128x128."""
    from manyfields.latents.compact import CompactConfig, CompactDecoder, CompactEncoder

    config = CompactConfig()
    side = 128 // config.stride
    return (
        count_network("compact", CompactDecoder(config), 1, config.channels, side, side),
        count_network("compact", CompactEncoder(config), 1, 3, 128, 128),
    )


def stable_diffusion_networks() -> tuple[Network, Network]:
    """Image decoder and encoder of Stable Diffusion's VAE at 128x128, by its published sizes. Needs diffusers."""
    from diffusers import AutoencoderKL

    with torch.device("meta"):
        model: Any = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
        )
    decoder, encoder = (
        nn.Sequential(model.post_quant_conv, model.decoder),
        nn.Sequential(model.encoder, model.quant_conv),
    )
    return (
        count_network("Stable Diffusion VAE", decoder, 1, 4, 16, 16),
        count_network("Stable Diffusion VAE", encoder, 1, 3, 128, 128),
    )
