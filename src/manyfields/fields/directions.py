"""Directions of view as numbers that a network can use."""

import torch
from jaxtyping import Float
from torch import Tensor


def harmonics(directions: Float[Tensor, "*batch 3"], degree: int) -> Float[Tensor, "*batch D"]:
    """Real spherical harmonics of degree 1 (D = 3) or 1 and 2 (D = 8), up to constant factors, of unit directions.

    x, y, z, xy, yz, xz, 3 z^2 - 1, x^2 - y^2. The constants are left to what the values are multiplied with.

    >>> harmonics(torch.tensor([0.0, 0.0, 1.0]), 2).tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0]
    """
    x, y, z = directions.unbind(-1)
    waves = [x, y, z]
    if degree == 2:
        waves += [x * y, y * z, x * z, 3.0 * z * z - 1.0, x * x - y * y]
    return torch.stack(waves, -1)


def encode_directions(directions: Float[Tensor, "*batch C"], frequencies: int) -> Float[Tensor, "*batch D"]:
    """Directions, then their sines, then their cosines at frequencies 1, 2, 4, ...: D = C + 2 C * frequencies.

    C is 3; other numbers are encoded likewise.
    """
    octaves = 2.0 ** torch.arange(frequencies, device=directions.device, dtype=directions.dtype)
    waves = (directions.unsqueeze(-2) * octaves.unsqueeze(-1)).flatten(-2)
    return torch.cat([directions, torch.sin(waves), torch.cos(waves)], -1)
