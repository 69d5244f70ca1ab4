"""LPIPS, the learned perceptual distance (Zhang et al. 2018, v0.1, squeeze), without torchvision.

    image -> SqueezeNet 1.1, features after 7 of its stages -> unit length per pixel
          -> squared difference of the two images -> weighted over channels -> mean over pixels -> sum over stages

The weights are not part of manyfields. They are looked for in, first to last: the path given, the folder named by
MANYFIELDS_LPIPS, `$MANYFIELDS_SHARED/weights/lpips` (default: `shared/` beside the checkout).
"""

import os
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.errors import ConfigError, ViewError

FEATURES_FILE = "squeezenet1_1_features.pth"
HEADS_FILE = "lin_v0.1_squeeze.pth"
SMALLEST_SIDE = 32  # three poolings by two leave nothing of smaller images
# The layers of SqueezeNet 1.1 after which features are compared, and how many channels they have there.
TAPS = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}
# ImageNet's mean and deviation, for images in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Fire(nn.Module):
    """SqueezeNet's block: few channels through 1x1, then 1x1 and 3x3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Float[Tensor, "V C H W"]) -> Float[Tensor, "V D H W"]:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


def _squeezenet() -> nn.Sequential:
    """The convolutional part of SqueezeNet 1.1; positions in the sequence are the names in its weight file."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(),
        Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip


class Lpips(nn.Module):
    """The distance with its weights loaded; see `load_lpips`."""

    shift: Tensor
    scale: Tensor

    def __init__(self, features: dict[str, Tensor], heads: dict[str, Tensor]) -> None:
        super().__init__()
        self.features = _squeezenet()
        self.features.load_state_dict(features)
        for number, channels in enumerate(TAPS.values()):
            weight = heads[f"lin{number}.model.1.weight"].float().reshape(1, channels, 1, 1)
            self.register_buffer(f"head{number}", weight)
        self.register_buffer("shift", torch.tensor(SHIFT).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).reshape(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, rendered: Float[Tensor, "V H W 3"], truth: Float[Tensor, "V H W 3"]) -> Float[Tensor, " V"]:
        """Distance of each view, 0 for identical images. Images in [0, 1], channels last.

        Raises ViewError where shapes differ or a side is below 32 pixels.
        """
        if rendered.shape != truth.shape or min(truth.shape[1:3]) < SMALLEST_SIDE:
            raise ViewError(
                f"LPIPS needs two stacks of one shape, at least {SMALLEST_SIDE} pixels a side, "
                f"got {tuple(rendered.shape)} and {tuple(truth.shape)}"
            )
        total = torch.zeros(len(truth), device=truth.device)
        for number, (ours, theirs) in enumerate(zip(self.taps(rendered), self.taps(truth), strict=True)):
            difference = (_unit(ours) - _unit(theirs)).square()
            total += (difference * getattr(self, f"head{number}")).sum(dim=1).mean(dim=(1, 2))
        return total

    def taps(self, images: Float[Tensor, "V H W 3"]) -> list[Float[Tensor, "V C h w"]]:
        """The features that are compared, coarser and coarser."""
        x = (2.0 * images.permute(0, 3, 1, 2).float() - 1.0 - self.shift) / self.scale
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in TAPS:
                found.append(x)
        return found


def load_lpips(path: Path | None = None, device: torch.device | str = "cpu") -> tuple[Lpips | None, str | None]:
    """The metric and None, or None and the reason why it cannot be had (for reports: null with the reason).

    `path` is a folder with `squeezenet1_1_features.pth` and `lin_v0.1_squeeze.pth`. A path that the caller names must
    be good: ConfigError where it is not.
    """
    folder = path if path is not None else weights_folder()
    try:
        features, heads = (
            torch.load(folder / name, map_location="cpu", weights_only=True) for name in (FEATURES_FILE, HEADS_FILE)
        )
        return Lpips(features, heads).to(device), None
    except FileNotFoundError as error:
        reason = f"LPIPS weights not found: {error.filename} (set MANYFIELDS_LPIPS to the folder that holds it)"
    except Exception as error:  # a damaged or foreign file shows itself in as many ways as there are unpicklers
        reason = f"LPIPS weights in {folder} cannot be used: {str(error).splitlines()[0] or type(error).__name__}"
    if path is not None:
        raise ConfigError(reason)
    return None, reason


def weights_folder() -> Path:
    """Where the weights are looked for when no path is given."""
    if named := os.environ.get("MANYFIELDS_LPIPS"):
        return Path(named)
    beside_checkout = Path(__file__).resolve().parents[4] / "shared"
    return Path(os.environ.get("MANYFIELDS_SHARED", beside_checkout)) / "weights" / "lpips"


def _unit(features: Float[Tensor, "V C H W"]) -> Float[Tensor, "V C H W"]:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
