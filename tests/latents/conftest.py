"""Real pictures for the autoencoders."""

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(scope="session")
def vehicles(shared):
    """A view of each fourth vehicle on white, from all sides: (V = 23, 3, 128, 128) in [0, 1].

    The round trip of a single view scatters by 2.4 dB: a mean over 23 is good to half a dB, one over four is not.
    """
    folders = sorted((shared / "data" / "renders" / "vehicles").iterdir())[::4]
    images = []
    for number, folder in enumerate(folders):
        rgba = np.asarray(Image.open(folder / "rgba" / f"{7 * number % 40:03d}.png"), np.float32) / 255
        images.append(rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:])
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="session")
def round_trip():
    """Mean PSNR in dB of images after encoding and decoding, each image on its own."""

    @torch.no_grad()
    def measure(autoencoder, images) -> float:
        again = torch.cat([autoencoder.decode(autoencoder.encode(some)) for some in images.split(8)]).clamp(0, 1)
        return (-10 * torch.log10((again - images).square().mean((1, 2, 3)))).mean().item()

    return measure
