"""The compact autoencoder: most of its work is done at latent resolution, so a CPU decodes an image in milliseconds.

    image (3, H, W) -> unshuffle by the stride -> 1x1 -> residual blocks -> 3x3 -> latent (C, H/s, W/s)
    latent -> 3x3 -> residual blocks -> shuffle x2 -> one residual block -> shuffle x(s/2) -> image

A block is two 3x3 convolutions; the second starts at zero, so depth costs nothing at the start and no normalisation is
needed (Fixup, Zhang et al. 2019).
"""

from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from manyfields.errors import ConfigError
from manyfields.latents.autoencoder import Autoencoder


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the compact autoencoder."""

    channels: int = 16
    stride: int = 8
    width: int = 128
    encoder_blocks: int = 3
    decoder_blocks: int = 4
    fine_width: int = 64

    def __post_init__(self) -> None:
        if self.stride < 2 or self.stride & (self.stride - 1):
            raise ConfigError(f"autoencoder stride {self.stride}: a power of two from 2 on")
        if min(self.channels, self.width, self.fine_width) < 1 or min(self.encoder_blocks, self.decoder_blocks) < 0:
            raise ConfigError(f"autoencoder sizes must be above 0 (blocks may be 0): {asdict(self)}")


class Block(nn.Module):
    def __init__(self, width: int, padding_mode: Literal["zeros", "replicate"]) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, padding_mode=padding_mode)
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode=padding_mode)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class CompactEncoder(nn.Module):
    """Borders are replicated, so that an empty background has one latent everywhere, up to the rim."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.first = nn.Conv2d(3 * config.stride**2, config.width, 1)
        self.blocks = nn.Sequential(*[Block(config.width, "replicate") for _ in range(config.encoder_blocks)])
        self.last = nn.Conv2d(config.width, config.channels, 3, padding=1, padding_mode="replicate")

    def forward(self, images: Tensor) -> Tensor:
        x = functional.pixel_unshuffle(1.0 - images, self.stride).contiguous(memory_format=torch.channels_last)
        return self.last(functional.silu(self.blocks(self.first(x))))


class CompactDecoder(nn.Module):
    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.first = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(config.width, "zeros") for _ in range(config.decoder_blocks)])
        self.widen = nn.Conv2d(config.width, 4 * config.fine_width, 1)
        self.fine = Block(config.fine_width, "zeros")
        self.last = nn.Conv2d(config.fine_width, 3 * (config.stride // 2) ** 2, 3, padding=1)
        self.upscale = config.stride // 2

    def forward(self, latents: Tensor) -> Tensor:
        x = self.first(latents.contiguous(memory_format=torch.channels_last))
        x = functional.silu(self.blocks(x))
        x = functional.pixel_shuffle(self.widen(x), 2).contiguous(memory_format=torch.channels_last)
        x = self.last(functional.silu(self.fine(x)))
        return 1.0 - functional.pixel_shuffle(x, self.upscale)


def compact_autoencoder(config: CompactConfig | None = None) -> Autoencoder:
    """An untrained compact autoencoder (global random state); `load_autoencoder("compact")` has the shipped weights."""
    config = config or CompactConfig()
    architecture = {"autoencoder": "compact", **asdict(config)}
    autoencoder = Autoencoder(
        CompactEncoder(config), CompactDecoder(config), config.channels, config.stride, architecture
    )
    # torch's stubs of Module.to know no memory_format, its documentation does.
    return autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
