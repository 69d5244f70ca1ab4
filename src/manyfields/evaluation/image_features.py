"""Features of images in which sets of images are compared: of Inception where a user has it, else of SqueezeNet.

Inception v3 (2048 features, as papers report FID) needs the package torch-fidelity and the file of its weights, which
MANYFIELDS_INCEPTION names. Without it: the last features of SqueezeNet 1.1, averaged over the image (512), from the
folder where `lpips` finds its weights. Figures of the two cannot be compared, so every figure says which it is.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from manyfields.errors import ConfigError, ViewError
from manyfields.evaluation.lpips import SMALLEST_SIDE, Lpips, load_lpips

AT_ONCE = 64
INCEPTION_FEATURES = "2048"


@dataclass(frozen=True)
class ImageFeatures:
    """A network from images (V, 3, H, W) in [0, 1] to features (V, F), and its name."""

    name: str
    network: nn.Module

    @torch.no_grad()
    def of(self, images: Tensor) -> Float64[Tensor, "V F"]:
        """Features of images (V, H, W, 3): uint8, or float in [0, 1]. Raises ViewError for images too small."""
        if images.ndim != 4 or images.shape[3] != 3 or min(images.shape[1:3]) < SMALLEST_SIDE:
            raise ViewError(f"images of {tuple(images.shape)}: V H W 3 with at least {SMALLEST_SIDE} pixels a side")
        found = []
        for some in images.split(AT_ONCE):
            scaled = some.float() / 255.0 if some.dtype == torch.uint8 else some.float()
            found.append(self.network(scaled.permute(0, 3, 1, 2)).double())
        return torch.cat(found)


def load_image_features(squeezenet: Path | None = None) -> ImageFeatures:
    """The best features at hand. `squeezenet`: folder of its weights, instead of where `load_lpips` looks.

    Raises ConfigError where there are none, or where MANYFIELDS_INCEPTION names what cannot be used.
    """
    if named := os.environ.get("MANYFIELDS_INCEPTION"):
        return ImageFeatures("inception", _inception(Path(named)))
    lpips, reason = load_lpips(squeezenet)
    if lpips is None:
        raise ConfigError(f"no features to compare sets of images in: {reason}")
    return ImageFeatures("squeezenet", _PooledSqueezeNet(lpips))


class _PooledSqueezeNet(nn.Module):
    def __init__(self, lpips: Lpips) -> None:
        super().__init__()
        self.lpips = lpips

    def forward(self, images: Tensor) -> Tensor:
        return self.lpips.taps(images.permute(0, 2, 3, 1))[-1].mean((2, 3))


class _Inception(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images * 255.0).round().to(torch.uint8))


def _inception(weights: Path) -> nn.Module:
    from torchmetrics.image.fid import NoTrainInceptionV3

    if not weights.is_file():
        raise ConfigError(f"MANYFIELDS_INCEPTION: {weights} is no file; unset it to use SqueezeNet's features")
    try:
        network = NoTrainInceptionV3("inception-v3-compat", [INCEPTION_FEATURES], str(weights))
    except ModuleNotFoundError as error:
        raise ConfigError(
            "MANYFIELDS_INCEPTION needs the package torch-fidelity: pip install torch-fidelity"
        ) from error
    return _Inception(network)
