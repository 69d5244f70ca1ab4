"""What every image autoencoder is here: image to whitened latent image and back."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """An image encoder and an image decoder around latents that are whitened per channel with stored statistics.

    Whitened latents have zero mean and unit variance per channel, so one set of learning rates and losses fits every
    autoencoder. `encoder` maps images (V, 3, H, W) in [0, 1] to raw latents (V, C, H / stride, W / stride); `decoder`
    maps raw latents back, not clamped. `architecture` is what `autoencoder_from_config` rebuilds it from.
    `needs_whitening`: the statistics are not those of views yet; call `whiten` on some before fitting.

    >>> autoencoder = Autoencoder(nn.AvgPool2d(2), nn.Upsample(scale_factor=2), channels=3, stride=2, architecture={})
    >>> images = torch.rand(4, 3, 8, 8)
    >>> autoencoder.whiten(images)
    >>> latents = autoencoder.encode(images)
    >>> latents.shape, bool(latents.mean().abs() < 1e-3), autoencoder.decode(latents).shape
    (torch.Size([4, 3, 4, 4]), True, torch.Size([4, 3, 8, 8]))
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, channels: int, stride: int, architecture: dict[str, Any]
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.channels = channels
        self.stride = stride
        self.architecture = architecture
        self.needs_whitening = False
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def encode(self, images: Float[Tensor, "V 3 H W"], batch_statistics: bool = False) -> Float[Tensor, "V C h w"]:
        """Whitened latent images.

        With `batch_statistics` they are whitened by this batch's own mean and deviation, which then move the stored
        ones by 2 %: so a training encoder cannot lower a latent loss by shrinking its latents.
        """
        if images.shape[-1] % self.stride or images.shape[-2] % self.stride:
            raise ValueError(f"images of {tuple(images.shape[-2:])} do not divide by the stride {self.stride}")
        raw = self.encoder(images).float()
        mean, std = self.mean, self.std
        if batch_statistics:
            mean, std = raw.mean((0, 2, 3)), raw.std((0, 2, 3)) + 1e-4
            with torch.no_grad():
                self.mean.lerp_(mean, 0.02)
                self.std.lerp_(std, 0.02)
        return (raw - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)

    def decode(self, latents: Float[Tensor, "V C h w"]) -> Float[Tensor, "V 3 H W"]:
        """Images from whitened latent images; values may leave [0, 1], clamp them to show or measure."""
        return self.decoder(latents * self.std.view(1, -1, 1, 1) + self.mean.view(1, -1, 1, 1)).float()

    @torch.no_grad()
    def whiten(self, images: Float[Tensor, "V 3 H W"]) -> None:
        """Set the stored statistics from the latents of `images`."""
        raw = self.encoder(images).float()
        self.mean.copy_(raw.mean((0, 2, 3)))
        self.std.copy_(raw.std((0, 2, 3)) + 1e-4)
        self.needs_whitening = False
